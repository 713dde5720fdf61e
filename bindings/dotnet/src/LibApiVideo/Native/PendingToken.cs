using System;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A caller that waits for a token, without a thread. It ends once: when the native operation
    /// is complete, when its caller cancels it, or when the client is disposed. The native waiter
    /// is freed in each case.
    /// </summary>
    internal sealed class PendingToken : TaskCompletionSource<Token>
    {
        // Native code keeps a pointer to it: it lives as long as the program.
        private static readonly NativeMethods.apivideo_completion_callback s_completed = OnCompleted;

        /// <summary>
        /// Kept so that the client is not collected, and closed, while somebody waits.
        /// </summary>
        private readonly ApiVideoClient _client;
        private readonly OperationHandle _operation;
        private CancellationTokenRegistration _cancellation;
        private CancellationTokenRegistration _closing;

        private PendingToken(ApiVideoClient client, OperationHandle operation) : base(TaskCreationOptions.RunContinuationsAsynchronously)
        {
            _client = client;
            _operation = operation;
        }

        internal static Task<Token> Start(ApiVideoClient client, OperationHandle operation, CancellationToken closing, CancellationToken cancellation)
        {
            ApiVideoStatus status = NativeMethods.apivideo_operation_wait(operation, 0, out TokenHandle token, out ErrorHandle error);
            if (status != ApiVideoStatus.Pending)
            {
                operation.Dispose();
                return status == ApiVideoStatus.Ok ? System.Threading.Tasks.Task.FromResult(client.Adopt(token)) : System.Threading.Tasks.Task.FromException<Token>(ApiVideoException.From(status, error));
            }
            error.Dispose();
            return Wait(client, operation, closing, cancellation);
        }

        private static Task<Token> Wait(ApiVideoClient client, OperationHandle operation, CancellationToken closing, CancellationToken cancellation)
        {
            var pending = new PendingToken(client, operation);
            pending._cancellation = cancellation.Register(() => pending.Abandon(() => pending.TrySetCanceled(cancellation)));
            pending._closing = closing.Register(() => pending.Abandon(() => pending.TrySetException(ApiVideoClient.Disposed())));
            // Freed by the callback, which comes exactly once: now, if the operation is complete by
            // now.
            GCHandle self = GCHandle.Alloc(pending);
            ApiVideoStatus status = NativeMethods.apivideo_operation_on_complete(operation, s_completed, GCHandle.ToIntPtr(self), out ErrorHandle error);
            if (status != ApiVideoStatus.Ok)
            {
                self.Free();
                pending.Finish();
                throw ApiVideoException.From(status, error);
            }
            return pending.Task;
        }

        /// <summary>
        /// Answers the caller. Then cancels the operation, so that its callback frees it.
        /// </summary>
        private void Abandon(Action answer)
        {
            answer();
            try
            {
                NativeMethods.apivideo_operation_cancel(_operation);
            }
            catch (ObjectDisposedException)
            {
                // It was complete already.
            }
        }

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_completion_callback))]
        private static void OnCompleted(IntPtr userData)
        {
            GCHandle self = GCHandle.FromIntPtr(userData);
            var pending = (PendingToken)self.Target!;
            Unloading.KeepLoadedForAMoment();
            self.Free();
            try
            {
                pending.TakeAnswer();
            }
            catch (Exception e)
            {
                // Native code cannot take an exception; the caller can.
                pending.TrySetException(e);
            }
        }

        private void TakeAnswer()
        {
            try
            {
                ApiVideoStatus status = NativeMethods.apivideo_operation_wait(_operation, 0, out TokenHandle token, out ErrorHandle error);
                if (status == ApiVideoStatus.Ok)
                {
                    TrySetResult(_client.Adopt(token));
                }
                else
                {
                    TrySetException(ApiVideoException.From(status, error));
                }
            }
            finally
            {
                Finish();
            }
        }

        private void Finish()
        {
            // From within the operation's own calls this only marks it; it is freed when they
            // return.
            _operation.Dispose();
            _cancellation.Dispose();
            _closing.Dispose();
        }
    }
}
