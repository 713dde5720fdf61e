using System;
using System.Runtime.InteropServices;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A client's log and state callbacks. The client holds this object. Native code reaches it by
    /// a weak reference only, so that a callback which uses its client does not keep a forgotten
    /// client alive.
    /// </summary>
    internal sealed class Callbacks
    {
        // Native code keeps pointers to them: they live as long as the program.
        private static readonly NativeMethods.apivideo_log_callback s_log = OnLog;
        private static readonly NativeMethods.apivideo_state_callback s_stateChanged = OnStateChanged;
        private static readonly NativeMethods.apivideo_release_callback s_release = OnRelease;

        private readonly Action<ApiVideoLogLevel, string>? _log;
        private readonly Action<TokenState>? _stateChanged;

        internal Callbacks(Action<ApiVideoLogLevel, string>? log, Action<TokenState>? stateChanged)
        {
            _log = log;
            _stateChanged = stateChanged;
        }

        internal ApiVideoStatus SetLog(ConfigHandle config, ApiVideoLogLevel level, out ErrorHandle error) =>
            NativeMethods.apivideo_config_set_log(config, (int)level, s_log, NewHandle(), s_release, out error);

        internal ApiVideoStatus SetStateChanged(ConfigHandle config, out ErrorHandle error) =>
            NativeMethods.apivideo_config_set_on_state(config, s_stateChanged, NewHandle(), s_release, out error);

        private IntPtr NewHandle() => GCHandle.ToIntPtr(GCHandle.Alloc(new Registration(this)));

        private static Callbacks? Find(IntPtr userData) => (GCHandle.FromIntPtr(userData).Target as Registration)?.Callbacks;

        /// <summary>
        /// What native code holds, by a strong handle, until it says that it is done. So this
        /// assembly stays loaded as long as native code may call.
        /// </summary>
        private sealed class Registration
        {
            private readonly WeakReference<Callbacks> _callbacks;

            internal Registration(Callbacks callbacks) => _callbacks = new WeakReference<Callbacks>(callbacks);

            internal Callbacks? Callbacks => _callbacks.TryGetTarget(out Callbacks? callbacks) ? callbacks : null;
        }

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_log_callback))]
        private static void OnLog(int level, IntPtr message, IntPtr userData)
        {
            try
            {
                Find(userData)?._log?.Invoke((ApiVideoLogLevel)level, Utf8.Decode(message));
            }
            catch (Exception)
            {
                // Native code cannot take an exception, and nobody else is there to have it.
            }
        }

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_state_callback))]
        private static void OnStateChanged(int state, IntPtr userData)
        {
            try
            {
                Find(userData)?._stateChanged?.Invoke((TokenState)state);
            }
            catch (Exception)
            {
                // As above.
            }
        }

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_release_callback))]
        private static void OnRelease(IntPtr userData)
        {
            Unloading.KeepLoadedForAMoment();
            GCHandle.FromIntPtr(userData).Free();
        }
    }
}
