using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    /// <summary>Cancelling, disposing, forgetting.</summary>
    public class LifetimeTests
    {
        [Test]
        public void AWaitingCallHoldsNoThread()
        {
            Sandbox.Hang();
            using (ApiVideoClient client = Sandbox.Client())
            {
                int Threads() => Process.GetCurrentProcess().Threads.Count;
                int before = Threads();
                for (int i = 0; i < 100; i++)
                {
                    _ = client.GetTokenAsync();
                    _ = client.AuthenticateAsync();
                }
                Assert.Equal(200L, client.GetStatistics().Waiters, "calls that wait");
                Assert.True(Threads() < before + 50, $"there are hardly more threads than before: {Threads()} and {before}");
            }
        }

        private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);

        private static ApiVideoClient Patient(Action<ApiVideoClientOptions>? configure = null) => Sandbox.Client(o =>
        {
            o.AttemptTimeout = s_minute;
            o.WaitTimeout = s_minute;
            configure?.Invoke(o);
        });

        [Test]
        public void CancellingFreesTheNativeWaiter()
        {
            Sandbox.Hang();
            using (ApiVideoClient client = Patient())
            using (var cancellation = new CancellationTokenSource())
            {
                Task<Token>[] tasks = Enumerable.Range(0, 100).Select(_ => client.GetTokenAsync(null, cancellation.Token)).ToArray();
                Assert.Equal(100L, client.GetStatistics().Waiters, "native waiters");
                cancellation.Cancel();
                Assert.Equal(0L, client.GetStatistics().Waiters, "native waiters");
                foreach (Task<Token> task in tasks)
                {
                    var cancelled = Assert.Throws<OperationCanceledException>(task);
                    Assert.True(task.IsCanceled && cancelled.CancellationToken == cancellation.Token, "the task is cancelled by this token");
                }
                Assert.True(client.GetTokenAsync(null, cancellation.Token).IsCanceled, "a call with a cancelled token is cancelled");
                Assert.True(client.AuthenticateAsync(cancellation.Token).IsCanceled, "a call with a cancelled token is cancelled");
            }
        }

        [Test]
        public void OneThatIsCancelledDoesNotTakeTheOthersAlong()
        {
            Sandbox.Settings("{\"latency_ms\":300}");
            using (ApiVideoClient client = Patient())
            using (var cancellation = new CancellationTokenSource())
            {
                Task<Token> impatient = client.GetTokenAsync(cancellation.Token);
                Task<Token> patient = client.GetTokenAsync();
                cancellation.Cancel();
                Assert.Throws<OperationCanceledException>(impatient);
                Assert.True(patient.GetAwaiter().GetResult() != null, "the other has its token");
                Assert.Equal(1, Sandbox.Requests("api_key"));
            }
        }

        [Test]
        public void CancellingAndCompletingAtOnceIsOneOrTheOther()
        {
            for (int i = 0; i < 200; i++)
            {
                using (ApiVideoClient client = Patient())
                using (var cancellation = new CancellationTokenSource())
                {
                    Task<Token> task = client.GetTokenAsync(cancellation.Token);
                    if (i % 2 == 0)
                    {
                        Assert.Eventually(() => client.GetStatistics().TokensGranted == 1, "the token arrives");
                    }
                    cancellation.Cancel();
                    Assert.Eventually(() => task.IsCompleted, "it ends");
                    Assert.True(task.Status == TaskStatus.RanToCompletion || task.IsCanceled, $"it is one or the other: {task.Exception}");
                }
            }
        }

        [Test]
        public void WaitingAsynchronouslyTakesNoPoolThread()
        {
            Sandbox.Hang();
            using (ApiVideoClient client = Patient())
            {
                Task<Token>[] tasks = Enumerable.Range(0, 500).Select(_ => client.GetTokenAsync()).ToArray();
                Assert.Eventually(() =>
                {
                    ThreadPool.GetMaxThreads(out int most, out _);
                    ThreadPool.GetAvailableThreads(out int free, out _);
                    return free == most;
                }, "no pool thread is in use");
                Assert.True(tasks.All(t => !t.IsCompleted), "all wait");
                Assert.Equal(500L, client.GetStatistics().Waiters, "native waiters");
            }
        }

        [Test]
        public void TheCallersOwnTimeoutEnds()
        {
            Sandbox.Hang();
            using (ApiVideoClient client = Patient(o => o.WaitTimeout = TimeSpan.FromMilliseconds(50)))
            {
                Assert.Equal(ApiVideoStatus.Timeout, Assert.Throws<ApiVideoTimeoutException>(() => client.GetToken()).Status);
                Assert.Throws<ApiVideoTimeoutException>(client.GetTokenAsync());
                Assert.Equal(0L, client.GetStatistics().Waiters, "native waiters");
            }
        }

        [Test]
        public void DisposeEndsThirtyTwoWaitingCalls()
        {
            Sandbox.Hang();
            ApiVideoClient client = Patient();
            var watch = new Stopwatch();
            int kind = 0;
            List<object> outcomes = Many.Threads(32, () =>
            {
                switch (Interlocked.Increment(ref kind) % 4)
                {
                    case 0: return client.GetToken();
                    case 1: return client.GetTokenAsync().GetAwaiter().GetResult();
                    case 2: return client.Authenticate();
                    default: return client.AuthenticateAsync().GetAwaiter().GetResult();
                }
            }, () =>
            {
                Assert.Eventually(() => client.GetStatistics().Waiters == 32, "all wait");
                watch.Start();
                client.Dispose();
            });
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"they end at once, not after a minute: {watch.Elapsed}");
            foreach (object outcome in outcomes)
            {
                Assert.True(outcome is ObjectDisposedException e && e.ObjectName == "ApiVideoClient", $"it is an ObjectDisposedException: {outcome}");
            }
        }

        [Test]
        public void DisposeUnderThirtyTwoRunningCallsGivesEachItsTokenOrSaysSo()
        {
            for (int round = 0; round < 20; round++)
            {
                ApiVideoClient client = Patient();
                client.GetToken();
                int reads = 0;
                List<object> outcomes = Many.Threads(32, () =>
                {
                    while (true)
                    {
                        Token token = Interlocked.Increment(ref reads) % 2 == 0 ? client.GetToken() : client.GetTokenAsync(TimeSpan.FromMinutes(1)).GetAwaiter().GetResult();
                        client.GetStatistics();
                        Assert.True(token.AccessToken.Length > 0, "it is a token");
                    }
                }, () =>
                {
                    Assert.Eventually(() => Volatile.Read(ref reads) > 1000, "calls are running");
                    client.Dispose();
                    client.Dispose();
                });
                foreach (object outcome in outcomes)
                {
                    Assert.True(outcome is ObjectDisposedException, $"it is an ObjectDisposedException: {outcome}");
                }
            }
        }

        [Test]
        public void ADisposedClientSaysSo()
        {
            ApiVideoClient client = Sandbox.Client();
            Token token = client.GetToken();
            client.Dispose();
            Assert.Contains("The ApiVideoClient is disposed.", Assert.Throws<ObjectDisposedException>(() => client.GetToken()).Message);
            Assert.Throws<ObjectDisposedException>(() => { client.GetTokenAsync(); });
            Assert.Throws<ObjectDisposedException>(() => client.Authenticate());
            Assert.Throws<ObjectDisposedException>(() => client.Refresh());
            Assert.Throws<ObjectDisposedException>(() => client.Invalidate(token));
            Assert.Throws<ObjectDisposedException>(() => client.GetStatistics());
        }

        [Test]
        public void AThousandClientsMadeAndDisposed()
        {
            for (int i = 0; i < 1000; i++)
            {
                using (ApiVideoClient client = Sandbox.Client(o => o.Log = (_, __) => { }))
                {
                    if (i % 10 == 0)
                    {
                        client.GetToken();
                    }
                }
            }
            Assert.Equal(100, Sandbox.Requests("api_key"));
        }

        [Test]
        public void ForgottenClientsLeakNothing()
        {
            // The first rounds warm the allocators up.
            long settled = 0;
            for (int round = 0; round < 6; round++)
            {
                WeakReference[] clients = Forget(200);
                Assert.Eventually(() =>
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                    return clients.All(c => !c.IsAlive);
                }, "every forgotten client is collected, though its callbacks use it");
                if (round == 2)
                {
                    settled = Environment.WorkingSet;
                }
            }
            long grown = (Environment.WorkingSet - settled) / 1024 / 1024;
            Assert.True(grown < 20, $"600 more forgotten clients leave the memory as it is; it grew by {grown} MiB");
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static WeakReference[] Forget(int count) => Enumerable.Range(0, count).Select(i =>
        {
            ApiVideoClient? client = null;
            client = Sandbox.Client(o =>
            {
                o.Log = (_, __) => GC.KeepAlive(client);
                o.StateChanged = _ => GC.KeepAlive(client);
            });
            if (i % 10 == 0)
            {
                client.GetToken();
            }
            return new WeakReference(client);
        }).ToArray();

        [Test]
        public void AClientThatSomebodyWaitsForIsNotForgotten()
        {
            Sandbox.Settings("{\"latency_ms\":300}");
            Task<Token> task = StartAndForget();
            while (!task.IsCompleted)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Assert.True(task.GetAwaiter().GetResult() != null, "the token came");
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static Task<Token> StartAndForget() => Patient().GetTokenAsync();

        [Test]
        public void GarbageCollectionEverywhere()
        {
            int collecting = 1;
            var collector = new Thread(() =>
            {
                while (Volatile.Read(ref collecting) == 1)
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                }
            })
            { IsBackground = true };
            collector.Start();
            List<object> outcomes = Many.Threads(8, () =>
            {
                for (int i = 0; i < 40; i++)
                {
                    using (ApiVideoClient client = Patient(o =>
                    {
                        o.LogLevel = ApiVideoLogLevel.Debug;
                        o.Log = (_, line) => GC.KeepAlive(new byte[line.Length * 100]);
                        o.StateChanged = _ => GC.Collect(0);
                    }))
                    using (var cancellation = new CancellationTokenSource())
                    {
                        Task<Token> task = client.GetTokenAsync(cancellation.Token);
                        if (i % 3 == 0)
                        {
                            cancellation.Cancel();
                        }
                        else
                        {
                            task.GetAwaiter().GetResult();
                        }
                        client.GetToken();
                    }
                }
                return "done";
            });
            Volatile.Write(ref collecting, 0);
            collector.Join();
            Assert.True(outcomes.All(o => o is string), "all went well: " + outcomes.FirstOrDefault(o => !(o is string)));
        }
    }
}
