import { stackHome } from '../stack/home.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/open-store.ts';

/** For what the store alone can tell: no server is asked, and nothing is started. */
export async function withStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore({ env: process.env, home: stackHome({ env: process.env }) });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
