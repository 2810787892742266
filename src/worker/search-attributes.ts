import { Runtime } from '@temporalio/worker';
import type { NativeConnection } from '@temporalio/worker';
import { missingSearchAttributes, registerCommand } from '../core/search-attributes.ts';

/** How soon somebody who registers them is noticed. */
const LOOK_EVERY_MS = 60_000;

/**
 * Whether a namespace has our search attributes: asked once where it has, now and then where it has not. Workflows that set
 * one which it lacks would stand still, so where in doubt the answer is no.
 */
export function searchability(server: {
  readonly connection: NativeConnection;
  readonly namespace: string;
}): () => Promise<boolean> {
  let known: Promise<boolean> | undefined;
  let askedAt = 0;
  let isSaid = false;
  const ask = async (): Promise<boolean> => {
    const registered = await registeredIn(server);
    const missing = missingSearchAttributes(registered ?? {});
    if (registered !== undefined && missing.length > 0 && !isSaid) {
      isSaid = true;
      Runtime.instance().logger.warn(
        `The namespace '${server.namespace}' does not have the search attributes ${missing.map(({ name }) => name).join(', ')}: ` +
          `workflows run, but cannot be found by them. Register them with: ${registerCommand(server.namespace, missing)}`,
      );
    }
    if (missing.length > 0) known = undefined;
    return missing.length === 0;
  };
  return () => {
    if (known !== undefined) return known;
    if (Date.now() - askedAt < LOOK_EVERY_MS) return Promise.resolve(false);
    askedAt = Date.now();
    known = ask();
    return known;
  };
}

/**
 * By name; undefined where the server does not tell. Temporal Cloud has no operator service, but tells the names that a
 * namespace gave to its columns.
 */
async function registeredIn({
  connection,
  namespace,
}: {
  readonly connection: NativeConnection;
  readonly namespace: string;
}): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return customAttributes ?? {};
  } catch {
    // Not there, or not for us.
  }
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const names = Object.values(config?.customSearchAttributeAliases ?? {});
    return Object.fromEntries(names.map((name) => [name, true]));
  } catch {
    // Away: it is asked again soon.
    return undefined;
  }
}
