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
        /// To be called by a callback before it frees the last such handle. While its thread runs
        /// code of this assembly, the runtime keeps that loaded. But the last few instructions, of
        /// the stub that returns to native code, do not count, and nothing tells when they are
        /// over. So this waits for a moment. It is a limit: a thread that the system holds up just
        /// there for longer returns into code that is gone. README.md says so.
        /// </summary>
        internal static void KeepLoadedForAMoment() => Task.Delay(s_moment).ContinueWith(_ => { }, TaskScheduler.Default);
    }
}
