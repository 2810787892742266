/** An error as OpenAI's API words it. */
export interface ApiError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: string;
      readonly param: string | null;
      readonly code: string | null;
    };
  };
}

/** Builds an error in OpenAI's shape. */
export function apiError(error: {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
}): ApiError {
  const { status, type, message, code = null, param = null, headers = {} } = error;
  return { status, headers, body: { error: { message, type, param, code } } };
}

/** A 400, `invalid_request_error`. */
export function badRequest(message: string, param?: string, code?: string): ApiError {
  return apiError({
    status: 400,
    type: 'invalid_request_error',
    message,
    ...(param !== undefined && { param }),
    ...(code !== undefined && { code }),
  });
}
