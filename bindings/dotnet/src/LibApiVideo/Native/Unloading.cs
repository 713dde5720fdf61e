using System;
using System.Threading.Tasks;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A collectible AssemblyLoadContext may be unloaded while an exchange is under way. So
    /// whatever native code may still call back holds a strong GCHandle to an object of this
    /// assembly, and the runtime unloads no assembly that has objects.
    /// </summary>
    internal static class Unloading
    {
        private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(1);

        /// <summary>
        /// To be called by a callback before it frees the last such handle. Its thread has some
        /// more instructions of this assembly to go, on its way back to native code.
        /// </summary>
        internal static void KeepLoadedForAMoment() => Task.Delay(s_moment).ContinueWith(_ => { }, TaskScheduler.Default);
    }
}
