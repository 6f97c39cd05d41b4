import { type ConnectionOptions, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from "@temporalio/client";

type Interceptor = NonNullable<ConnectionOptions["interceptors"]>[number];
type NextCall = Parameters<Interceptor>[1];
type Call = ReturnType<NextCall>;

/** grpc.status.CANCELLED */
const cancelled = 1;

/**
 * Temporal's own retries, with two differences: none before the server has answered once, so that a wrong address is told
 * at once, and none after the connection is closed. There the SDK's timer would throw, uncaught, and end the process.
 */
export function retryCalls(hasAnswered: () => boolean): Interceptor {
  const { delayFunction, retryableDecider } = defaultGrpcRetryOptions();
  const retry = makeGrpcRetryInterceptor({
    delayFunction,
    retryableDecider: (attempt, status) => hasAnswered() && retryableDecider(attempt, status),
  });
  return (options, nextCall) => retry(options, orClosed(nextCall));
}

function orClosed(nextCall: NextCall): NextCall {
  return (options) => {
    try {
      return nextCall(options);
    } catch (error) {
      return closedCall(error instanceof Error ? error.message : String(error));
    }
  };
}

/** A call that was never made, and says so to whoever waits for it. */
function closedCall(details: string): Call {
  return {
    start(metadata, listener) {
      listener?.onReceiveMessage?.(null);
      listener?.onReceiveStatus?.({ code: cancelled, details, metadata });
    },
    sendMessageWithContext: () => {},
    sendMessage: () => {},
    startRead: () => {},
    halfClose: () => {},
    cancelWithStatus: () => {},
    getPeer: () => "",
    getAuthContext: () => null,
  };
}
