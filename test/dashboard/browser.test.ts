/** The dashboard in a real browser, beside a real server, a worker and a provider that makes mistakes. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchHandle } from '../../src/client/index.ts';
import { startDashboard } from '../../src/dashboard/dashboard-server.ts';
import type { RunningDashboard } from '../../src/dashboard/dashboard-server.ts';
import { openAiProvider } from '../../src/provider/openai.ts';
import { startSimulatedProvider } from '../../src/provider/simulated.ts';
import type { SimulatedProvider } from '../../src/provider/simulated.ts';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import { ensureChromium } from '../support/chromium.ts';
import { quietRuntime } from '../support/scripted-worker.ts';
import { endTestStacks, startTestStack, temporalCli } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { withWorker } from '../support/test-worker.ts';
import { HOSTILE } from './filled-store.ts';

const SCREENSHOTS = fileURLToPath(new URL('screenshots/', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** More than are done while the tests that need a running batch go through it. */
const DOCUMENTS = 600;
const HOSTILE_ID = '<img src=x onerror="document.title=1">\u202eid';
/** axe judges both themes and both widths, though not each with each: that would take a minute more. */
const SCREENS = [
  { name: '1280-light', width: 1280, colorScheme: 'light', isJudged: true },
  { name: '1280-dark', width: 1280, colorScheme: 'dark', isJudged: false },
  { name: '390-light', width: 390, colorScheme: 'light', isJudged: false },
  { name: '390-dark', width: 390, colorScheme: 'dark', isJudged: true },
] as const;

const orders = readFileSync(new URL('../../examples/documents/order.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { readonly id: string; readonly text: string });

let stack: TestStack;
let provider: SimulatedProvider;
let batch: BatchHandle;
let dashboard: RunningDashboard;
let browser: Browser;
let page: Page;
const consoleErrors: string[] = [];
const stop = Promise.withResolvers<void>();
let worker: Promise<void> | undefined;

beforeAll(async () => {
  quietRuntime();
  mkdirSync(SCREENSHOTS, { recursive: true });
  const executablePath = await ensureChromium();
  await temporalCli();
  [stack, browser] = await Promise.all([
    startTestStack('dashboard'),
    chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] }),
  ]);
  await startBatch();
  dashboard = await startDashboard({ env: stack.env, home: stack.home, host: '127.0.0.1', port: 0 });
  page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  page.setDefaultTimeout(15_000);
  page.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(message.text());
  });
  page.on('pageerror', (error) => consoleErrors.push(error.message));
}, 900_000);

afterAll(async () => {
  await browser?.close();
  await dashboard?.stop();
  stop.resolve();
  await worker;
  await provider?.stop();
  await endTestStacks();
});

/** A provider that makes mistakes and fails now and then, and a batch that takes it some ten seconds. */
async function startBatch(): Promise<void> {
  const faults = { missing: 0.12, wrong_type: 0.1, truncated_length: 0.06, server_error: 0.02 };
  provider = await startSimulatedProvider({ latencyMs: { min: 80, max: 240 }, faults });
  const simulated = openAiProvider({
    name: 'simulated',
    apiKey: 'none',
    baseUrl: provider.url,
    defaultModel: 'faulty',
  });
  const started = Promise.withResolvers<void>();
  const options = {
    provider: simulated,
    gates: 'on',
    callTimeoutMs: 5_000,
    schemas: exampleSchemas,
  } as const;
  worker = withWorker(stack, options, () => {
    started.resolve();
    return stop.promise;
  });
  await started.promise;
  const documents = Array.from({ length: DOCUMENTS }, (_, index) => {
    const { id, text } = orders[index % orders.length]!;
    return index === 0
      ? { id: HOSTILE_ID, text: HOSTILE }
      : { id: `${id}-${index}`, text: `${text}\n\nRef. ${index}` };
  });
  const retry = { baseDelayMs: 50, maxDelayMs: 500 };
  batch = await stack.extractor.batch(documents, { id: 'orders', schema: 'order', concurrency: 6, retry });
}

const done = async (): Promise<number> => {
  const words = await page.locator('.progress p').first().innerText();
  return Number(/([\d,]+) of/.exec(words)?.[1]?.replaceAll(',', ''));
};

/** Whether the page still is the one that was opened: nothing has loaded it again. */
const markPage = (): Promise<void> =>
  page.evaluate(() => void Object.assign(globalThis, { isOldPage: true }));
const isOldPage = (): Promise<boolean> => page.evaluate(() => 'isOldPage' in globalThis);

const said = (text: string | RegExp) => page.locator('#messages').getByText(text).waitFor();

/** One after the other, as a person would. */
describe('the dashboard', () => {
  it('moves while a batch runs, without being loaded again', async () => {
    await page.goto(`${dashboard.url}batches`);
    await page.getByRole('link', { name: 'orders' }).waitFor();
    await markPage();
    const before = await done();
    await expect.poll(done, { timeout: 15_000 }).toBeGreaterThan(before + 20);
    await page.getByText(/\d\/s · .*left/).waitFor();
    expect(await isOldPage()).toBe(true);
    await page.screenshot({ path: `${SCREENSHOTS}running.png` });
  });

  it('pauses the batch, changes its concurrency, and resumes it', async () => {
    await page.getByRole('link', { name: 'orders' }).click();
    await page.getByRole('button', { name: 'Pause batch orders' }).click();
    await said(/is paused/);
    await page.getByText('paused', { exact: true }).waitFor();
    expect((await batch.status()).state).toBe('paused');
    await page.getByLabel('Documents in work at once').fill('8');
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByText('now 8').waitFor();
    await page.getByRole('button', { name: 'Resume batch orders' }).click();
    await said(/goes on/);
    const before = await done();
    await expect.poll(done, { timeout: 15_000 }).toBeGreaterThan(before);
    expect((await batch.status()).concurrency).toBe(8);
    expect(await isOldPage()).toBe(true);
  });

  it('asks before it cancels, and takes no for an answer', async () => {
    await page.getByRole('button', { name: 'Cancel batch orders' }).click();
    await page.getByRole('dialog').getByText("Cancel 'orders'?").waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect((await batch.status()).state).not.toBe('cancelled');
  });

  it('says what is refused, and by whom it may be done', async () => {
    // At once: the page writes its form anew as the batch comes along.
    await page.evaluate(`{
      const form = document.querySelector('form[data-act]');
      form.noValidate = true;
      form.querySelector('input').value = '12000';
      form.requestSubmit();
    }`);
    await page.getByRole('alert').getByText('expected a whole number from 1 to 10000').waitFor();
    await page.getByRole('button', { name: 'Put this message away' }).last().click();
  });

  it('leads from a common error to the conversation of an extraction that has it', async () => {
    await page.getByRole('link', { name: 'Overview' }).click();
    const row = page.getByRole('row').filter({ hasText: 'missing' }).first();
    await row.getByRole('link', { name: /^All with missing/ }).click();
    await page.getByText('Those with an answer that had the problem').waitFor();
    await page.getByRole('rowheader').first().getByRole('link').click();
    await page.getByRole('heading', { name: 'Attempt 1' }).waitFor();
    expect(await page.locator('.attempt.rejected mark').count()).toBeGreaterThan(0);
    await page.getByText('What the model was told').first().waitFor();
    expect(await page.getByText('required field is missing').count()).toBeGreaterThan(0);
    const webUi = await page.getByRole('link', { name: /Temporal Web UI/ }).getAttribute('href');
    expect(webUi).toMatch(/^http:\/\/.*\/namespaces\/default\/workflows\/batch%2Forders$/);
    expect(await isOldPage()).toBe(true);
  });

  it('trips a gate for a reason, and resets it', async () => {
    await page.getByRole('link', { name: 'Gates' }).click();
    await page.getByRole('button', { name: 'Trip the gate of simulated' }).click();
    await page.getByLabel('Reason').fill('audit of the keys');
    await page.keyboard.press('Enter');
    await said(/No further call is made to simulated/);
    await page.getByText('parked', { exact: true }).first().waitFor();
    expect(await page.getByText('audit of the keys').count()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Reset the gate of simulated' }).click();
    await said(/Calls go to simulated again/);
    await page.getByText('closed', { exact: true }).first().waitFor();
    expect((await stack.extractor.gates())[0]).toMatchObject({ state: 'closed' });
  });

  it('shows a hostile document as text, and only when it is asked for', async () => {
    await expect.poll(async () => (await batch.status()).pending, { timeout: 40_000 }).toBe(0);
    const address = queryOf({ batch: 'orders', id: HOSTILE_ID });
    await page.goto(`${dashboard.url}extraction?${address}`);
    await page.getByRole('heading', { level: 1, name: 'onerror="document.title=1">⟨U+202E⟩id' }).waitFor();
    await page.getByRole('button', { name: "Show the document's text" }).click();
    const text = page.getByRole('region', { name: "The document's text" });
    expect(await text.innerText()).toContain('␛[31m⟨U+202E⟩txt.exe');
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.title()).not.toContain('hacked');
  });

  it('takes what a person enters where no model managed, once it is in the schema', async () => {
    provider.setFaults({ missing: 1, stubborn: Number.POSITIVE_INFINITY });
    const byHand = await stack.extractor.batch([{ ...orders[0]!, id: 'lost' }], {
      id: 'by-hand',
      schema: 'order',
      onExhausted: 'review',
    });
    await page.goto(`${dashboard.url}review`);
    await page.getByRole('link', { name: 'lost' }).click();
    await page.getByRole('region', { name: "The document's text" }).getByText('Order #A-1042').waitFor();
    await page.getByLabel('order_id').fill('A-1042');
    await page.getByLabel('customer_name').fill('Jane Roe');
    while ((await page.getByRole('button', { name: /^Remove items/ }).count()) > 0)
      await page
        .getByRole('button', { name: /^Remove items/ })
        .first()
        .click();
    await page.getByRole('button', { name: 'Add to items' }).click();
    await page.getByLabel('name', { exact: true }).fill('Blue Widget');
    await page.getByLabel('quantity').fill('2');
    await page.getByLabel('price').fill('9.99');
    await page.getByLabel('total').fill('a lot');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByRole('listitem').getByText('total: expected number').waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}review-refused.png`, fullPage: true });
    expect(await seriousFindings()).toEqual([]);
    await page.getByLabel('total').fill('19.98');
    await page.getByLabel('Your name').fill('Grace');
    await page.getByRole('button', { name: 'Save' }).click();
    await said(/'lost' is corrected by hand/);
    await page.getByText('Nothing waits for you.').waitFor();
    const { value: result } = await byHand.results().next();
    expect(result).toMatchObject({ success: true, data: { total: 19.98 }, correction: { by: 'Grace' } });
  });

  it('lets the results be downloaded', async () => {
    await page.goto(`${dashboard.url}batch?id=orders`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download JSON Lines' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('orders.jsonl');
    const lines = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\n');
    expect(lines).toHaveLength(DOCUMENTS);
  });

  it('shows the figures that the provider’s own log gives', async () => {
    await batch.done();
    await page.goto(dashboard.url);
    const card = (name: string) => page.locator('main').getByText(name, { exact: true }).locator('..');
    const answered = provider.log.filter((call) => call.answered);
    const tokens = answered.reduce((sum, call) => sum + call.promptTokens + call.completionTokens, 0);
    await expect.poll(() => card('Calls').innerText()).toContain(provider.log.length.toLocaleString('en'));
    expect(await card('Tokens').innerText()).toContain(tokens.toLocaleString('en'));
    const failed = provider.log.length - answered.length;
    const { providerFailures } = await stack.extractor.stats();
    expect(providerFailures.reduce((sum, { count }) => sum + count, 0)).toBe(failed);
  });

  it.each(SCREENS)(
    'is readable, with no serious finding of axe: $name',
    async ({ name, width, colorScheme, isJudged }) => {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const pages = {
        review: 'review',
        overview: '',
        batches: 'batches',
        batch: 'batch?id=orders',
        extractions: 'extractions',
        extraction: await longestConversation(),
        gates: 'gates',
        nowhere: 'extraction?id=nobody',
      };
      for (const [view, path] of Object.entries(pages)) {
        await page.goto(`${dashboard.url}${path}`);
        await page
          .locator('#connection')
          .getByText('live')
          .or(page.getByText('This cannot be shown'))
          .first()
          .waitFor();
        await page.locator('main [aria-busy]').waitFor({ state: 'detached' });
        await page.screenshot({ path: `${SCREENSHOTS}${view}-${name}.png`, fullPage: true });
        expect({ view, sideways: await sidewaysScroll() }).toEqual({ view, sideways: 0 });
        if (isJudged) expect({ view, findings: await seriousFindings() }).toEqual({ view, findings: [] });
      }
    },
  );

  it('remembers the theme that somebody chooses', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await page.getByLabel('Theme').selectOption('dark');
    expect(await background()).not.toBe(light);
    await page.reload();
    expect(await background()).not.toBe(light);
  });

  it('is used with the keyboard alone', async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(dashboard.url);
    await page.locator('main .figures').waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    for (const name of ['durable-extract', 'Overview', 'Batches']) {
      await page.keyboard.press('Tab');
      expect(await focused()).toBe(name);
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Batches' }).waitFor();
  });

  it('has logged no error in the browser', () => {
    // Of the page that does not exist, and of the dialog's test that asked for too much.
    expect(consoleErrors.filter((text) => !/status of (400|404)/.test(text))).toEqual([]);
  });
});

const queryOf = (parameters: Readonly<Record<string, string>>): string =>
  new URLSearchParams(parameters).toString();

/** The address of the extraction with the most attempts. */
async function longestConversation(): Promise<string> {
  let longest = { id: '', attempts: 0 };
  for await (const result of batch.results()) if (result.attempts > longest.attempts) longest = result;
  return `extraction?${queryOf({ batch: 'orders', id: longest.id })}`;
}

const focused = () => page.evaluate('document.activeElement.textContent');

const sidewaysScroll = () => page.evaluate('Math.max(0, document.documentElement.scrollWidth - innerWidth)');

async function seriousFindings(): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const findings = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
    const { violations } = await axe.run();
    return violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes.map(({ html }) => html) }));
  });
  return findings
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, html }) => `${id}: ${html.slice(0, 3).join(' | ')}`);
}

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}
