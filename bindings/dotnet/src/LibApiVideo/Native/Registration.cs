using System;
using System.Runtime.InteropServices;

namespace LibApiVideo.Native
{
    /// <summary>
    /// What native code holds, by a strong handle, until it says that it is done: so this assembly
    /// stays loaded as long as native code may call. It refers to its target by a weak reference
    /// only, so that a callback which uses its client does not keep a forgotten client alive.
    /// </summary>
    internal sealed class Registration
    {
        /// <summary>
        /// Native code keeps a pointer to it: it lives as long as the program.
        /// </summary>
        internal static readonly NativeMethods.apivideo_release_callback Release = OnRelease;

        private readonly WeakReference<object> _target;

        private Registration(object target) => _target = new WeakReference<object>(target);

        /// <summary>Gives the pointer for native code, which releases it once.</summary>
        internal static IntPtr New(object target) => GCHandle.ToIntPtr(GCHandle.Alloc(new Registration(target)));

        /// <summary>The target, if it is still there.</summary>
        internal static T? Find<T>(IntPtr userData) where T : class =>
            GCHandle.FromIntPtr(userData).Target is Registration self && self._target.TryGetTarget(out object? target) ? (T)target : null;

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_release_callback))]
        private static void OnRelease(IntPtr userData)
        {
            Unloading.KeepLoadedForAMoment();
            GCHandle.FromIntPtr(userData).Free();
        }
    }
}
