import { type ConnectionOptions, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from "@temporalio/client";

type Interceptor = NonNullable<ConnectionOptions["interceptors"]>[number];
type NextCall = Parameters<Interceptor>[1];
type Call = ReturnType<NextCall>;

/** grpc.status.CANCELLED */
const cancelled = 1;

const callLimitMs = 5_000;
/** The one call that waits: for the end of a run. */
const longPoll = "/GetWorkflowExecutionHistory";

/**
 * Temporal's own retries, with three differences. None before the server has answered once, so that a wrong address is
 * told at once. None beyond 5 s, so that whoever asks is told that the server is away, and why. None after the connection
 * is closed: there the SDK's timer would throw, uncaught, and end the process.
 */
export function retryCalls(hasAnswered: () => boolean): Interceptor {
  const { delayFunction, retryableDecider } = defaultGrpcRetryOptions();
  return (options, nextCall) => {
    const waits = options.method_definition.path.endsWith(longPoll);
    const endsAt = waits ? Number.POSITIVE_INFINITY : Date.now() + callLimitMs;
    let delayMs = 0;
    const retry = makeGrpcRetryInterceptor({
      delayFunction: () => delayMs,
      retryableDecider(attempt, status) {
        delayMs = delayFunction(attempt, status);
        return hasAnswered() && Date.now() + delayMs < endsAt && retryableDecider(attempt, status);
      },
    });
    return retry({ ...options, deadline: options.deadline ?? endsAt }, orClosed(nextCall));
  };
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
