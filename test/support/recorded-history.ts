import protos from '@temporalio/proto';

type History = protos.temporal.api.history.v1.IHistory;

const { History: HistoryType } = protos.temporal.api.history.v1;

/**
 * A history as JSON, with the payloads in base64.
 *
 * Not the SDK's `historyToJSON`: it throws where npm has installed several copies of protobufjs, as it does here.
 */
export function historyToText(history: History): string {
  const plain: unknown = HistoryType.toObject(HistoryType.fromObject(history), {
    longs: String,
    enums: String,
    bytes: String,
  });
  return `${JSON.stringify(plain, null, 2)}\n`;
}

/** Reads what {@link historyToText} wrote. */
export function historyFromText(text: string): History {
  return HistoryType.fromObject(JSON.parse(text) as Record<string, unknown>);
}
