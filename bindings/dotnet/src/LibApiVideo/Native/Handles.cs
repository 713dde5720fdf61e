using System;
using System.Runtime.InteropServices;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A native object. Dispose or the finalizer frees it once, and never while a call uses it, as
    /// the header asks of every _free.
    /// </summary>
    internal abstract class NativeHandle : SafeHandle
    {
        private protected NativeHandle() : base(IntPtr.Zero, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == IntPtr.Zero;
    }

    internal sealed class ClientHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_client_free(handle);
            return true;
        }
    }

    internal sealed class ConfigHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_config_free(handle);
            return true;
        }
    }

    internal sealed class ErrorHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_error_free(handle);
            return true;
        }
    }

    /// <summary>Something under way, which calls back when it is complete.</summary>
    internal abstract class PendingHandle : NativeHandle
    {
        internal abstract ApiVideoStatus OnComplete(NativeMethods.apivideo_completion_callback callback, IntPtr userData, out ErrorHandle error);

        internal abstract void Cancel();
    }

    internal sealed class OperationHandle : PendingHandle
    {
        internal override ApiVideoStatus OnComplete(NativeMethods.apivideo_completion_callback callback, IntPtr userData, out ErrorHandle error) =>
            NativeMethods.apivideo_operation_on_complete(this, callback, userData, out error);

        internal override void Cancel() => NativeMethods.apivideo_operation_cancel(this);

        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_operation_free(handle);
            return true;
        }
    }

    internal sealed class ResponseHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_response_free(handle);
            return true;
        }
    }

    internal sealed class StatisticsHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_statistics_free(handle);
            return true;
        }
    }

    internal sealed class StoreHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_store_free(handle);
            return true;
        }
    }

    internal sealed class TokenHandle : NativeHandle
    {
        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_token_free(handle);
            return true;
        }
    }

    internal sealed class UploadHandle : PendingHandle
    {
        internal override ApiVideoStatus OnComplete(NativeMethods.apivideo_completion_callback callback, IntPtr userData, out ErrorHandle error) =>
            NativeMethods.apivideo_upload_on_complete(this, callback, userData, out error);

        internal override void Cancel() => NativeMethods.apivideo_upload_cancel(this);

        protected override bool ReleaseHandle()
        {
            NativeMethods.apivideo_upload_free(handle);
            return true;
        }
    }
}
