using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A program's own store, as native code calls it. <see cref="TokenStore"/> and the clients
    /// that use it hold this object; native code only a <see cref="Registration"/> of it.
    /// </summary>
    internal sealed class OwnStore
    {
        // Native code keeps pointers to them: they live as long as the program.
        private static readonly NativeMethods.apivideo_store_load_callback s_load = OnLoad;
        private static readonly NativeMethods.apivideo_store_swap_callback s_swap = OnSwap;

        private readonly ITokenStore _store;

        /// <summary>The clients to tell of exceptions.</summary>
        private readonly List<WeakReference<Callbacks>> _users = new List<WeakReference<Callbacks>>();

        /// <summary>Which methods have thrown last time.</summary>
        private readonly HashSet<string> _failing = new HashSet<string>();

        internal OwnStore(ITokenStore store) => _store = store;

        internal StoreHandle Open()
        {
            ApiVideoStatus status = NativeMethods.apivideo_store_new(
                s_load, s_swap, Registration.New(this), Registration.Release, out StoreHandle store, out ErrorHandle error);
            ApiVideoException.Check(status, error);
            return store;
        }

        internal void AddUser(Callbacks user)
        {
            lock (_users)
            {
                _users.RemoveAll(each => !each.TryGetTarget(out _));
                _users.Add(new WeakReference<Callbacks>(user));
            }
        }

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_store_load_callback))]
        private static int OnLoad(IntPtr name, uint timeoutMs, IntPtr record, IntPtr userData) =>
            Registration.Find<OwnStore>(userData)?.Call(nameof(ITokenStore.LoadAsync), timeoutMs, (store, cancellation) =>
            {
                TokenRecord? kept = store.LoadAsync(Utf8.Decode(name), cancellation).GetAwaiter().GetResult();
                if (kept != null)
                {
                    long now = kept.StoreTime?.ToUnixTimeMilliseconds() ?? 0;
                    var size = (UIntPtr)kept.Data.Length;
                    ApiVideoException.Check(NativeMethods.apivideo_record_set(record, (ulong)kept.Version, kept.Data, size, now, out ErrorHandle error), error);
                }
                return StoreResult.Ok;
            }) ?? (int)StoreResult.Failed;

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_store_swap_callback))]
        private static int OnSwap(
            IntPtr name, ulong expected, ulong version, IntPtr data, UIntPtr size, ulong keepMs, uint timeoutMs, IntPtr userData) =>
            Registration.Find<OwnStore>(userData)?.Call(nameof(ITokenStore.SwapAsync), timeoutMs, (store, cancellation) =>
            {
                var bytes = new byte[(int)size];
                Marshal.Copy(data, bytes, 0, bytes.Length);
                var record = new TokenRecord((long)version, bytes);
                TimeSpan keep = TimeSpan.FromMilliseconds(keepMs);
                return store.SwapAsync(Utf8.Decode(name), (long)expected, record, keep, cancellation).GetAwaiter().GetResult() ? StoreResult.Ok : StoreResult.Conflict;
            }) ?? (int)StoreResult.Failed;

        /// <summary>
        /// Makes a call. This is a thread of the native library's: to wait on it for a task keeps
        /// nobody from completing that.
        /// </summary>
        private int Call(string method, uint timeoutMs, Func<ITokenStore, CancellationToken, StoreResult> call)
        {
            using (var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(timeoutMs)))
            {
                try
                {
                    StoreResult result = call(_store, cancellation.Token);
                    Remember(method, fails: false);
                    return (int)result;
                }
                catch (Exception e)
                {
                    // Native code cannot take an exception, and nobody else is there to have it.
                    bool isLate = e is OperationCanceledException && cancellation.IsCancellationRequested; // Native code says so.
                    if (Remember(method, fails: true) && !isLate)
                    {
                        Tell($"The program's own store: {method} threw {e.GetType().Name}: {string.Join(" ", e.Message.Split('\r', '\n'))}");
                    }
                    return (int)StoreResult.Failed;
                }
            }
        }

        /// <summary>Whether that is new.</summary>
        private bool Remember(string method, bool fails)
        {
            lock (_failing)
            {
                return fails ? _failing.Add(method) : _failing.Remove(method);
            }
        }

        private void Tell(string line)
        {
            WeakReference<Callbacks>[] users;
            lock (_users)
            {
                users = _users.ToArray();
            }
            foreach (WeakReference<Callbacks> each in users)
            {
                if (each.TryGetTarget(out Callbacks? user))
                {
                    user.Warn(line);
                }
            }
        }
    }

    /// <summary>The native library's numbers.</summary>
    internal enum StoreResult
    {
        Ok = 0,
        Conflict = 1,
        Failed = 2,
    }
}
