import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { BundleOptions } from '@temporalio/worker';
import { cacheFolder } from '../stack/cache-folder.ts';
import type { Environment } from '../stack/progress.ts';

/** What every Node that this package runs on understands. */
const SYNTAX = 'es2022';
const EXTENSION = extname(import.meta.url);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The workflows' bundle, built once for each state of the sources (2 s) and kept in the user's cache, so that a worker
 * starts at once.
 *
 * @param options.isTraced whether the SDK's interceptors for traces are in it.
 * @returns the bundle's path.
 */
export async function workflowBundle(
  env: Environment,
  options: { readonly isTraced: boolean } = { isTraced: false },
): Promise<string> {
  const { isTraced } = options;
  const path = join(
    cacheFolder({ env }),
    'workflow-bundles',
    `${sourcesHash()}${isTraced ? '-traced' : ''}.js`,
  );
  if (existsSync(path)) return path;
  const workflowsPath = join(ROOT, 'workflows', `index${EXTENSION}`);
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    logger: silentLogger,
    webpackConfigHook: withModernSyntax,
    ...(isTraced ? { workflowInterceptorModules: [tracingModule()] } : {}),
  });
  mkdirSync(join(path, '..'), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, code);
  renameSync(unfinished, path);
  return path;
}

type BundlerConfig = Parameters<NonNullable<BundleOptions['webpackConfigHook']>>[0];

/** As the SDK has it, the bundle is in the words of 2017, and what stands in for spread copies takes several times as long. */
function withModernSyntax(config: BundlerConfig): BundlerConfig {
  for (const rule of config.module?.rules ?? []) {
    const loader = typeof rule === 'object' ? rule?.use : undefined;
    if (typeof loader !== 'object' || Array.isArray(loader) || typeof loader.options !== 'object') continue;
    const { jsc } = loader.options as { jsc?: object };
    if (jsc !== undefined) loader.options = { ...loader.options, jsc: { ...jsc, target: SYNTAX } };
  }
  return config;
}

function tracingModule(): string {
  return createRequire(import.meta.url).resolve(
    '@temporalio/interceptors-opentelemetry/lib/workflow-interceptors',
  );
}

/** Of all that can go into the bundle, and of the SDK that makes it. */
function sourcesHash(): string {
  const hash = createHash('sha256');
  const sdk: unknown = createRequire(import.meta.url)('@temporalio/worker/package.json');
  hash.update(JSON.stringify([(sdk as { version: string }).version, SYNTAX]));
  for (const file of globSync([`workflows/**/*${EXTENSION}`, `src/core/**/*${EXTENSION}`], {
    cwd: ROOT,
  }).toSorted()) {
    hash.update(file).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest('hex').slice(0, 24);
}

const quiet = (): void => {};
const silentLogger = { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };
