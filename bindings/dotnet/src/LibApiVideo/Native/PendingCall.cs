using System;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A caller that waits for an answer, without a thread. It ends once: when the native operation
    /// is complete, when its caller cancels it, or when the client is disposed. The native waiter
    /// is freed in each case.
    /// </summary>
    internal abstract class PendingCall
    {
        // Native code keeps a pointer to it: it lives as long as the program.
        private static readonly NativeMethods.apivideo_completion_callback s_completed = OnCompleted;

        private readonly PendingHandle _operation;
        private CancellationTokenRegistration _cancellation;
        private CancellationTokenRegistration _closing;

        private protected PendingCall(PendingHandle operation) => _operation = operation;

        private protected abstract void Answer();

        private protected abstract void Fail(Exception exception);

        private protected abstract void Cancel(CancellationToken cancellation);

        private protected void Begin(CancellationToken closing, CancellationToken cancellation)
        {
            _cancellation = cancellation.Register(() => Abandon(() => Cancel(cancellation)));
            _closing = closing.Register(() => Abandon(() => Fail(ApiVideoClient.Disposed())));
            // Freed by the callback, which comes exactly once: now, if the operation is complete by
            // now.
            GCHandle self = GCHandle.Alloc(this);
            ApiVideoStatus status = _operation.OnComplete(s_completed, GCHandle.ToIntPtr(self), out ErrorHandle error);
            if (status != ApiVideoStatus.Ok)
            {
                self.Free();
                Finish();
                throw ApiVideoException.From(status, error);
            }
        }

        /// <summary>
        /// Answers the caller. Then cancels the operation, so that its callback frees it.
        /// </summary>
        private void Abandon(Action answer)
        {
            answer();
            try
            {
                _operation.Cancel();
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
            var pending = (PendingCall)self.Target!;
            Unloading.KeepLoadedForAMoment();
            self.Free();
            try
            {
                pending.TakeAnswer();
            }
            catch (Exception e)
            {
                // Native code cannot take an exception; the caller can.
                pending.Fail(e);
            }
        }

        private void TakeAnswer()
        {
            try
            {
                Answer();
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

    /// <summary>A caller that waits for an answer of this kind.</summary>
    internal sealed class PendingCall<T, THandle> : PendingCall where THandle : PendingHandle
    {
        /// <summary>Looks, without waiting, what has become of an operation.</summary>
        internal delegate ApiVideoStatus Look(THandle operation, out T answer, out ErrorHandle error);

        private readonly TaskCompletionSource<T> _source = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly THandle _operation;
        private readonly Look _look;

        private PendingCall(THandle operation, Look look) : base(operation)
        {
            _operation = operation;
            _look = look;
        }

        /// <param name="operation">What was started. It is freed when it is complete.</param>
        /// <param name="look">
        /// Gives the answer. It holds the client, which so is not collected, and closed, while
        /// somebody waits.
        /// </param>
        /// <param name="closing">Is cancelled when the client is disposed.</param>
        /// <param name="cancellation">Ends the waiting.</param>
        internal static Task<T> Start(THandle operation, Look look, CancellationToken closing, CancellationToken cancellation)
        {
            ApiVideoStatus status = look(operation, out T answer, out ErrorHandle error);
            if (status != ApiVideoStatus.Pending)
            {
                operation.Dispose();
                return status == ApiVideoStatus.Ok ? Task.FromResult(answer) : Task.FromException<T>(ApiVideoException.From(status, error));
            }
            error.Dispose();
            var pending = new PendingCall<T, THandle>(operation, look);
            pending.Begin(closing, cancellation);
            return pending._source.Task;
        }

        private protected override void Answer()
        {
            ApiVideoStatus status = _look(_operation, out T answer, out ErrorHandle error);
            if (status == ApiVideoStatus.Ok)
            {
                _source.TrySetResult(answer);
            }
            else
            {
                _source.TrySetException(ApiVideoException.From(status, error));
            }
        }

        private protected override void Fail(Exception exception) => _source.TrySetException(exception);

        private protected override void Cancel(CancellationToken cancellation) => _source.TrySetCanceled(cancellation);
    }
}
