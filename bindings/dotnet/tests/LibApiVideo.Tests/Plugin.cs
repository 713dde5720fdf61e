using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    /// <summary>
    /// The package in a load context of its own, as hosts of plugins have it. Only reflection
    /// reaches it there.
    /// </summary>
    internal static class Plugin
    {
        /// <summary>A plugin in its own folder, with a package's folders beside it.</summary>
        internal static int Load(string path)
        {
            Assembly assembly = new Collectible().LoadFromAssemblyPath(path);
            using (IDisposable client = NewClient(assembly))
            {
                object token = client.GetType().GetMethod("GetToken")!.Invoke(client, new object?[] { null })!;
                Console.WriteLine($"plugin {token.GetType().GetProperty("TokenType")!.GetValue(token)}");
            }
            return 0;
        }

        /// <summary>
        /// The context is unloaded while an exchange of a disposed client is under way.
        /// </summary>
        internal static int Unload()
        {
            WeakReference context = UseAndUnload();
            Assert.Eventually(() => !IsAliveAfterCollection(context), "the context is unloaded");
            // A call that comes too late would crash the process.
            Assert.Eventually(() => !NativeThreads().Any(), "the native library's threads have ended");
            Console.WriteLine("unloaded");
            return 0;
        }

        private static bool IsAliveAfterCollection(WeakReference context)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return context.IsAlive;
        }

        /// <summary>Only Linux tells their names.</summary>
        private static readonly bool s_threadsHaveNames = RuntimeInformation.IsOSPlatform(OSPlatform.Linux);

        private static IEnumerable<string> NativeThreads() =>
            !s_threadsHaveNames ? Enumerable.Empty<string>() :
            Directory.GetDirectories("/proc/self/task").Select(task => File.ReadAllText(task + "/comm")).Where(name => name.StartsWith("apivideo", StringComparison.Ordinal));

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static WeakReference UseAndUnload()
        {
            var context = new Collectible();
            Assembly assembly = context.LoadFromAssemblyPath(typeof(ApiVideoClient).Assembly.Location);
            using (IDisposable client = NewClient(assembly))
            {
                MethodInfo start = client.GetType().GetMethod("GetTokenAsync", new[] { typeof(CancellationToken) })!;
                _ = (Task)start.Invoke(client, new object[] { CancellationToken.None })!;
                Assert.Eventually(() => Sandbox.Requests("api_key") == 1, "the exchange is under way");
                Assert.True(!s_threadsHaveNames || NativeThreads().Any(), "the native library's thread is known by its name");
            }
            context.Unload();
            return new WeakReference(context);
        }

        private sealed class Collectible : AssemblyLoadContext
        {
            internal Collectible() : base(isCollectible: true)
            {
            }

            protected override Assembly? Load(AssemblyName name) => null;
        }

        private static IDisposable NewClient(Assembly assembly)
        {
            Type type = assembly.GetType("LibApiVideo.ApiVideoClientOptions")!;
            object options = Activator.CreateInstance(type)!;
            type.GetProperty("BaseUrl")!.SetValue(options, Sandbox.Url);
            Type level = assembly.GetType("LibApiVideo.ApiVideoLogLevel")!;
            type.GetProperty("LogLevel")!.SetValue(options, Enum.GetValues(level).Cast<object>().Last());
            MethodInfo log = typeof(Plugin).GetMethod(nameof(Log), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(level);
            type.GetProperty("Log")!.SetValue(options, Delegate.CreateDelegate(typeof(Action<,>).MakeGenericType(level, typeof(string)), log));
            return (IDisposable)Activator.CreateInstance(assembly.GetType("LibApiVideo.ApiVideoClient")!, Sandbox.Key, options)!;
        }

        private static void Log<T>(T level, string line)
        {
        }
    }
}
