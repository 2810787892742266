import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Folders of `test`, from those that need nothing to those that start servers, install packages and kill processes. */
const ORDER = [
  'core',
  'store',
  'examples',
  'provider',
  'stack',
  'workflows',
  'replay',
  'any-client',
  'telemetry',
  'cli',
  'dashboard',
  'package',
  'crash',
];

/** Runs fast tests first, so that a simple mistake is known at once. A folder that is not listed runs last. */
export class FastFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const index = ORDER.findIndex((folder) => moduleId.includes(`/test/${folder}/`));
  return index === -1 ? ORDER.length : index;
}
