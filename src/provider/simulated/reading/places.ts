import { oncePerPage, valuesUnder, type Page } from './page.ts';

/** A postal address, as far as a document gives it. */
export interface Place {
  readonly street: string | null;
  readonly city: string | null;
  readonly region: string | null;
  readonly postalCode: string | null;
  readonly country: string | null;
}

const COUNTRIES =
  'United States of America|United States|USA|U\\.S\\.A\\.|United Kingdom|UK|England|Scotland|Wales|Northern Ireland|Ireland|Canada|Australia|New Zealand|Germany|Deutschland|Austria|Österreich|Switzerland|Schweiz|France|Belgium|Netherlands|The Netherlands|Luxembourg|Spain|España|Portugal|Italy|Italia|Greece|Turkey|Poland|Polska|Czech Republic|Czechia|Slovakia|Slovenia|Hungary|Romania|Bulgaria|Croatia|Serbia|Ukraine|Russia|Estonia|Latvia|Lithuania|Finland|Sweden|Norway|Denmark|Iceland|Japan|China|South Korea|Korea|India|Pakistan|Bangladesh|Sri Lanka|Nepal|Thailand|Vietnam|Singapore|Malaysia|Indonesia|Philippines|Taiwan|Hong Kong|Israel|Lebanon|Egypt|Morocco|Tunisia|Nigeria|Ghana|Kenya|Ethiopia|Tanzania|South Africa|Mexico|México|Brazil|Brasil|Argentina|Chile|Colombia|Peru|Uruguay|Venezuela|Ecuador|Cuba|United Arab Emirates|UAE|Saudi Arabia|Qatar|Iran|Iraq';
const COUNTRY = new RegExp(String.raw`(?<![\p{L}])(?:${COUNTRIES})(?![\p{L}])`, 'u');

const WORD = String.raw`(?:St\.|\p{Lu}[\p{L}\p{M}'’-]*)`;
const STREETS: readonly RegExp[] = [
  /\b\d{1,5}[A-Za-z]?(?:-\d{1,4})?,?[ \t]+(?:(?:[NSEW]\.?|North|South|East|West)[ \t]+)?(?:[\p{Lu}\d][\p{L}\d'’.-]*[ \t]+){1,4}?(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq|Terrace|Close|Crescent|Hill|Row|Parkway|Pkwy|Highway|Hwy|Circle|Trail|Gardens|Mews|Quay|Walk|Loop)\b\.?(?:[ \t]+(?:NW|NE|SW|SE|N|S|E|W|North|South|East|West)\b)?(?:,?[ \t]+(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|#)\.?[ \t]?#?[\w-]+)?/u,
  /\p{Lu}[\p{L}\p{M}.-]*(?:straße|strasse|str\.|weg|platz|gasse|allee|ring|ufer|damm|laan|straat|gracht|plein|kade|gatan|vägen|gata|vej|gade|veien|katu|tie)[ \t]+\d{1,4}(?:[ \t]?[a-zA-Z](?![\p{L}]))?/u,
  /\d{1,4}(?:[ \t]?(?:bis|ter))?,?[ \t]+(?:rue|avenue|boulevard|place|chemin|impasse|quai|allée)[ \t]+(?:(?:de|du|des|de la|d['’]|l['’])[ \t]*)*(?:[\p{L}'’-]+)(?:[ \t][\p{Lu}][\p{L}'’-]+)*/iu,
  /(?:Calle|C\/|Avenida|Av\.|Paseo|Plaza|Via|Viale|Piazza|Corso|Rua|Largo|Praça|ul\.|ulica|Carrer|Rruga|Jalan|Jl\.)[ \t]+(?:(?:de|del|de la|da|do|dei|delle|di)[ \t]+)*[\p{L}'’.-]+(?:[ \t][\p{L}'’.-]+){0,3}?,?[ \t]+(?:n[º°.][ \t]?)?\d{1,4}\w?/u,
  /\p{Lu}[\p{L}\p{M}.-]*(?:[ \t]\p{Lu}[\p{L}\p{M}.-]*)?[ \t]+(?:Straße|Strasse|Platz|Allee|Weg)[ \t]+\d{1,4}[ \t]?[a-zA-Z]?(?![\p{L}])/u,
];

const CITY = String.raw`(${WORD}(?:[ \t-](?:am|an der|de|la|del|upon|sur|on|of|do|dos|am)?[ \t-]?${WORD}){0,3})`;
const POSTALS: readonly {
  readonly pattern: RegExp;
  readonly city: number;
  readonly code: number;
  readonly region?: number;
}[] = [
  {
    pattern: new RegExp(String.raw`${CITY},?[ \t]+([A-Z]{2})[ \t,]+(\d{5}(?:-\d{4})?)\b`, 'u'),
    city: 1,
    region: 2,
    code: 3,
  },
  {
    pattern: new RegExp(String.raw`${CITY},?[ \t]+([A-Z]{2})[ \t,]+([A-Z]\d[A-Z][ \t]?\d[A-Z]\d)\b`, 'u'),
    city: 1,
    region: 2,
    code: 3,
  },
  {
    pattern: new RegExp(String.raw`${CITY},?[ \t\n]+([A-Z]{1,2}\d[A-Z\d]?[ \t]?\d[A-Z]{2})\b`, 'u'),
    city: 1,
    code: 2,
  },
  {
    pattern: new RegExp(String.raw`(?<![\d#-])((?:[A-Z]{1,3}-)?\d{4}[ \t]?[A-Z]{2})[ \t]+${CITY}`, 'u'),
    code: 1,
    city: 2,
  },
  {
    pattern: new RegExp(
      String.raw`(?<![\d#/.,])((?:[A-Z]{1,2}-)?(?:\d{4,5}|\d{3}[ \t]\d{2}|\d{2}-\d{3}|\d{4}-\d{3}))[ \t]+${CITY}`,
      'u',
    ),
    code: 1,
    city: 2,
  },
  {
    pattern: new RegExp(String.raw`${CITY},?[ \t]+(\d{5,6}|\d{3}-\d{4}|\d{3}[ \t]\d{3})\b`, 'u'),
    city: 1,
    code: 2,
  },
];
const CITY_ONLY: readonly RegExp[] = [
  new RegExp(
    String.raw`\b(?:liv(?:es?|ing)|based|located|resid(?:es?|ing)|settled|home is|moved to|relocated to|residents? (?:of|in)|wohn(?:t|e|haft) in|vive en|vivo en|habite (?:à)?)[ \t]*(?:happily |now |currently |alone |back )?(?:in|near|outside|at)?[ \t]+(?:downtown |central |sunny )?${CITY}`,
    'gu',
  ),
  new RegExp(String.raw`${CITY},[ \t]+(?:${COUNTRIES})(?![\p{L}])`, 'gu'),
  new RegExp(String.raw`(?<!(?:born|grew up|raised)[ \t])\b(?:[Ff]rom|out of|[Ii]n)[ \t]+${CITY}`, 'gu'),
];

/** The address a document gives. */
export const placeIn: (page: Page) => Place = oncePerPage((page) => {
  const under = (...labels: readonly string[]): string | null => {
    const value = valuesUnder(page, labels).find((found) => labels.includes(found.label))?.value;
    return value === undefined || value === '' ? null : value;
  };
  const street =
    under('street', 'street address', 'address line 1', 'straße', 'rue', 'calle') ?? streetIn(page.text);
  const rest =
    street === null
      ? page.text
      : page.text.slice(page.text.indexOf(street) + street.length, page.text.length);
  const postal = postalIn(street === null ? rest : rest.slice(0, 120)) ?? postalIn(page.text);
  const city = under(
    'city',
    'town',
    'location',
    'ort',
    'stadt',
    'ville',
    'ciudad',
    'lives in',
    'coming from',
    'hometown',
    'based in',
    'home',
  );
  return {
    street,
    city: city?.split(',')[0] ?? postal?.city ?? cityAfter(street, rest) ?? cityIn(page.text),
    region: under('state', 'province', 'region') ?? postal?.region ?? null,
    postalCode:
      under('zip', 'zip code', 'postal code', 'postcode', 'plz', 'code postal') ?? postal?.code ?? null,
    country:
      countryOf(under('country', 'land', 'pays', 'país', 'nationality')) ??
      countryOf(rest) ??
      countryOf(page.text),
  };
});

function streetIn(text: string): string | null {
  for (const pattern of STREETS) {
    const match = pattern.exec(text);
    if (match !== null) return match[0].replace(/\s+/g, ' ').trim();
  }
  return null;
}

function postalIn(
  text: string,
): { readonly city: string; readonly code: string; readonly region: string | null } | null {
  for (const { pattern, city, code, region } of POSTALS) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const found = tidyCity(match[city] ?? '');
    if (found !== null)
      return {
        city: found,
        code: (match[code] ?? '').trim(),
        region: region === undefined ? null : (match[region] ?? null),
      };
  }
  return null;
}

function cityAfter(street: string | null, rest: string): string | null {
  if (street === null) return null;
  const match = new RegExp(String.raw`^\s*(?:,|\n|in|-)\s*(?:in\s+)?${CITY}`, 'u').exec(rest);
  return match === null ? null : tidyCity(match[1] ?? '');
}

function cityIn(text: string): string | null {
  for (const pattern of CITY_ONLY) {
    for (const match of text.matchAll(pattern)) {
      const city = tidyCity(match[1] ?? '');
      if (city !== null) return city;
    }
  }
  return null;
}

const NOT_A_CITY =
  /^(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|I|The|My|Our|A|An|Mr|Mrs|Ms|Dr|Order|Invoice|Total|Date|Hi|Hello|Dear|English|German|French|Spanish)\b/u;

function tidyCity(city: string): string | null {
  const plain = city
    .replace(/[.,'’-]+$/, '')
    .replace(/['’]s$/, '')
    .trim();
  return plain.length < 2 || NOT_A_CITY.test(plain) || COUNTRY.exec(plain)?.[0] === plain ? null : plain;
}

function countryOf(text: string | null): string | null {
  return text === null ? null : (COUNTRY.exec(text)?.[0] ?? null);
}

/** The whole address on one line, where there is a street. */
export function addressLine(page: Page): string | null {
  const [labelled] = valuesUnder(page, [
    'address',
    'home address',
    'shipping address',
    'billing address',
    'delivery address',
    'adresse',
    'dirección',
  ]);
  if (labelled !== undefined && labelled.value !== '') return labelled.value;
  const { street, city, region, postalCode, country } = placeIn(page);
  if (street === null) return null;
  return [street, [city, region, postalCode].filter((part) => part !== null).join(' '), country]
    .filter((part) => part !== null && part !== '')
    .join(', ');
}
