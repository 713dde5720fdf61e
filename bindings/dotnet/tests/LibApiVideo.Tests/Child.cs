using System;
using System.Threading;

namespace LibApiVideo.Tests
{
    /// <summary>What tests want done in a process of its own.</summary>
    internal static class Child
    {
        internal static int Run(string what, string argument)
        {
            try
            {
                switch (what)
                {
                    case "load":
                        using (ApiVideoClient client = Sandbox.Client())
                        {
                            Console.WriteLine(client.GetToken().TokenType);
                        }
                        return 0;
                    case "exit-while-waiting":
                        return ExitWhileWaiting();
                    case "exit-while-a-store-hangs":
                        return ExitWhileAStoreHangs();
                    case "exit-with-clients":
                        return ExitWithClients();
#if NETCOREAPP
                    case "plugin":
                        return Plugin.Load(argument);
                    case "unload":
                        return Plugin.Unload();
#endif
#if NETCOREAPP && !NETCOREAPP3_1
                    case "listener-throws":
                        return MetricsTests.WithAListenerThatThrows();
#endif
                    default:
                        Console.WriteLine("What?");
                        return 2;
                }
            }
            catch (Exception e)
            {
                Console.WriteLine($"{e.GetType().Name}: {e.Message}");
                return 3;
            }
        }

        private static int ExitWhileWaiting()
        {
            // Whoever waited for any of this would wait for a minute.
            var minute = TimeSpan.FromMinutes(1);
            ApiVideoClient client = Sandbox.Client(o =>
            {
                o.AttemptTimeout = minute;
                o.WaitTimeout = minute;
                o.Log = (_, __) => { };
                o.LogLevel = ApiVideoLogLevel.Debug;
                o.StateChanged = _ => { };
            });
            _ = client.GetTokenAsync();
            _ = client.AuthenticateAsync();
            new Thread(() => client.GetToken()) { IsBackground = true }.Start();
            Assert.Eventually(() => client.GetStatistics().ExchangesInFlight == 1, "an exchange is under way");
            Assert.Eventually(() => client.GetStatistics().Waiters == 3, "three wait");
            Console.WriteLine("waiting");
            return 0;
        }

        /// <summary>It does not even heed its cancellation.</summary>
        private static int ExitWhileAStoreHangs()
        {
            var table = new Table { Blocks = true };
            Sandbox.Client(o => (o.Store, o.StoreTimeout) = (TokenStore.Of(table), TimeSpan.FromSeconds(10))).GetTokenAsync();
            Assert.Eventually(() => Volatile.Read(ref table.Calls) > 0, "the store is asked");
            Console.WriteLine("hanging");
            return 0;
        }

        private static int ExitWithClients()
        {
            for (int i = 0; i < 100; i++)
            {
                Sandbox.Client(o =>
                {
                    o.KeepFresh = true;
                    o.Log = (_, __) => GC.Collect(0);
                }).GetToken();
            }
            Console.WriteLine("done");
            return 0;
        }
    }
}
