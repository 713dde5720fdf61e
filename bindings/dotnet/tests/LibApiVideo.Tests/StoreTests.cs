using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    /// <summary>One token for many clients.</summary>
    public class StoreTests
    {
        private static ApiVideoClient Sharing(TokenStore store, Action<ApiVideoClientOptions>? configure = null) => Sandbox.Client(o =>
        {
            o.Store = store;
            configure?.Invoke(o);
        });

        /// <summary>Both have one token, by one exchange.</summary>
        private static void Share(ApiVideoClient one, ApiVideoClient other)
        {
            Token first = one.GetToken();
            Assert.Equal(first.AccessToken, other.GetToken().AccessToken, "the other's token");
            Assert.Equal("", first.GetRefreshToken(), "the refresh token");
            Assert.Equal(1, Sandbox.Requests("api_key"));
            Assert.Equal(0L, one.GetStatistics().TokensAdopted, "tokens that the one adopted");
            Assert.Equal(1L, other.GetStatistics().TokensAdopted, "tokens that the other adopted");
            Assert.Equal(0L, one.GetStatistics().StoreFailures + other.GetStatistics().StoreFailures, "failures of the store");
        }

        [Test]
        public void ClientsShareATokenByFiles()
        {
            using (var folder = new Folder())
            using (var store = new FileTokenStore(folder.Path))
            using (ApiVideoClient one = Sharing(store), other = Sharing(store))
            {
                Share(one, other);
            }
        }

        [Test]
        public void ATextNamesAStore()
        {
            using (var folder = new Folder())
            using (ApiVideoClient one = Sharing(TokenStore.Named("file:" + folder.Path)), other = Sharing(new FileTokenStore(folder.Path)))
            {
                Share(one, other);
            }
            foreach (string bad in new[] { "", "canary", "memcached://canary", "redis://canary:canary@", "file:" })
            {
                var error = Assert.Throws<ArgumentException>(() => TokenStore.Named(bad));
                Assert.Equal("name", error.ParamName, "ParamName");
                Assert.Contains("`name` ", error.Message);
                Assert.Lacks("canary", error.ToString(), "the exception");
            }
            Assert.Contains("`caFile` \"/no/such/file\" ", Assert.Throws<ArgumentException>(() => TokenStore.Named("rediss://host", "/no/such/file")).Message);
            Assert.Throws<ArgumentNullException>(() => TokenStore.Named(null!));
        }

        [Test]
        public void WhatIsNoDirectoryIsRefused()
        {
            using (var folder = new Folder())
            {
                string file = System.IO.Path.Combine(folder.Path, "file");
                Directory.CreateDirectory(folder.Path);
                File.WriteAllText(file, "");
                Assert.Equal("directory", Assert.Throws<ArgumentException>(() => new FileTokenStore(file)).ParamName, "ParamName");
                Assert.Equal("directory", Assert.Throws<ArgumentException>(() => new FileTokenStore("a\0b")).ParamName, "ParamName");
            }
        }

        [Test]
        public void ARedisThatIsDownCostsNoTokenAndNoUrlIsRepeated()
        {
            using (ApiVideoClient client = Sharing(new RedisTokenStore("redis://user:canary@127.0.0.1:1")))
            {
                Assert.True(client.GetToken() != null, "there is a token");
                Assert.Equal(1L, client.GetStatistics().StoreFailures, "failures of the store");
            }
            var error = Assert.Throws<ArgumentException>(() => new RedisTokenStore("redis://user:canary@"));
            Assert.Equal("url", error.ParamName, "ParamName");
            Assert.Lacks("canary", error.ToString(), "the exception");
            Assert.Contains("`caFile` \"/no/such/file\" ", Assert.Throws<ArgumentException>(() => new RedisTokenStore("rediss://host", "/no/such/file")).Message);
            Assert.Throws<ArgumentNullException>(() => new RedisTokenStore(null!));
        }

        [Test]
        public void AProgramsOwnStoreShares()
        {
            var table = new Table();
            TokenStore store = TokenStore.Of(table);
            using (ApiVideoClient one = Sharing(store), other = Sharing(store))
            {
                // The clients go on with it.
                store.Dispose();
                GC.Collect();
                GC.WaitForPendingFinalizers();
                Share(one, other);
                Assert.True(table.Keep > TimeSpan.FromMinutes(50), $"it is kept for the token's life: {table.Keep}");
            }
        }

        [Test]
        public void ManyClientsMakeOneExchange()
        {
            Sandbox.Settings("{\"latency_ms\":100}");
            var table = new Table();
            ApiVideoClient[] clients = Enumerable.Range(0, 16).Select(_ => Sharing(TokenStore.Of(table))).ToArray();
            Assert.Equal(1, Task.WhenAll(clients.Select(client => client.GetTokenAsync())).Result.Select(token => token.AccessToken).Distinct().Count(), "tokens");
            Assert.Equal(1, Sandbox.Requests("api_key"));
            foreach (ApiVideoClient client in clients)
            {
                client.Dispose();
            }
        }

        [Test]
        public void WhoHasASynchronizationContextDoesNotBlockAnAsynchronousStore()
        {
            SynchronizationContext? before = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(new NeverRuns());
            try
            {
                using (ApiVideoClient client = Sharing(TokenStore.Of(new Table())))
                {
                    Assert.True(client.GetToken() != null, "there is a token");
                    Assert.Equal(0L, client.GetStatistics().StoreFailures, "failures of the store");
                }
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(before);
            }
        }

        private sealed class NeverRuns : SynchronizationContext
        {
            public override void Post(SendOrPostCallback act, object? state)
            {
            }
        }

        [Test]
        public void AnExceptionIsAFailureThatIsToldOnce()
        {
            var table = new Table { Failure = new InvalidOperationException("no database\nhere") };
            TokenStore store = TokenStore.Of(table);
            var lines = new ConcurrentQueue<string>();
            string[] Told() => lines.Where(line => line.Contains(" threw ")).ToArray();
            void Client()
            {
                using (ApiVideoClient client = Sharing(store, o => o.Log = (level, line) => lines.Enqueue($"{level} {line}")))
                {
                    client.GetToken();
                }
            }
            using (ApiVideoClient quiet = Sharing(store, o => (o.Log, o.LogLevel) = ((_, line) => throw new InvalidOperationException(line), ApiVideoLogLevel.Error)))
            {
                Client();
                Assert.Equal("Warning The program's own store: LoadAsync threw InvalidOperationException: no database here", string.Join("|", Told()), "the log");
                Client();
                Assert.Equal(1, Told().Length, "lines, when it goes on");
                table.Failure = null;
                Client();
                table.Failure = new InvalidOperationException("again");
                Client();
                Assert.Contains("again", Told().Last());
                quiet.GetToken();
                Assert.Equal(1L, quiet.GetStatistics().StoreFailures, "failures of the store");
            }
        }

        [Test]
        public void AClosedClientsLogIsNotCalled()
        {
            var table = new Table { Failure = new InvalidOperationException() };
            TokenStore store = TokenStore.Of(table);
            int calls = 0;
            ApiVideoClient closed = Sharing(store, o => o.Log = (_, __) => calls++);
            closed.Dispose();
            using (ApiVideoClient client = Sharing(store))
            {
                Assert.True(client.GetToken() != null, "there is a token");
            }
            GC.KeepAlive(closed);
            Assert.Equal(0, calls);
        }

        [Test]
        public void AStoreThatHangsIsLeftAloneAndCancelled()
        {
            var table = new Table { Hangs = true };
            var lines = new ConcurrentQueue<string>();
            using (ApiVideoClient client = Sharing(TokenStore.Of(table), o =>
            {
                o.StoreTimeout = TimeSpan.FromMilliseconds(50);
                o.Log = (_, line) => lines.Enqueue(line);
            }))
            {
                Assert.True(client.GetToken() != null, "there is a token");
                Assert.Eventually(() => table.Cancelled, "its call is cancelled");
                Assert.Equal(1L, client.GetStatistics().StoreFailures, "failures of the store");
                Assert.True(!lines.Any(line => line.Contains(" threw ")), "it is told once that there was no answer");
            }
        }

        [Test]
        public void ARecordThatIsNoneIsRefused()
        {
            Assert.Equal("version", Assert.Throws<ArgumentOutOfRangeException>(() => new TokenRecord(0, new byte[1])).ParamName, "ParamName");
            Assert.Equal("data", Assert.Throws<ArgumentOutOfRangeException>(() => new TokenRecord(1, new byte[65_537])).ParamName, "ParamName");
            Assert.Equal("data", Assert.Throws<ArgumentNullException>(() => new TokenRecord(1, null!)).ParamName, "ParamName");
            Assert.Throws<ArgumentNullException>(() => TokenStore.Of(null!));
        }

        [Test]
        public void TheStoresOwnClockCounts()
        {
            // To the store, it is two hours later when the second one looks.
            var table = new Table();
            using (ApiVideoClient one = Sharing(TokenStore.Of(table)), other = Sharing(TokenStore.Of(table)))
            {
                one.GetToken();
                table.Later = TimeSpan.FromHours(2);
                other.GetToken();
                Assert.Equal(0L, other.GetStatistics().TokensAdopted, "tokens that were adopted after their end");
            }
        }

        [Test]
        public void ADisposedStoreSaysSoAndNoneIsNeverDisposed()
        {
            var store = TokenStore.Of(new Table());
            store.Dispose();
            store.Dispose();
            Assert.Contains("The TokenStore is disposed.", Assert.Throws<ObjectDisposedException>(() => Sharing(store)).Message);
            TokenStore.None.Dispose();
            using (ApiVideoClient client = Sharing(TokenStore.None))
            {
                Assert.True(client.GetToken().GetRefreshToken().Length > 0, "it gets a token for itself");
            }
        }

        [Test]
        public void ForgottenStoresAndClientsAreCollected()
        {
            WeakReference[] forgotten = Forget();
            Assert.Eventually(() =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return forgotten.All(each => !each.IsAlive);
            }, "the store is collected with its client, though it refers to that");
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static WeakReference[] Forget()
        {
            var table = new Table();
            ApiVideoClient client = Sharing(TokenStore.Of(table));
            table.Tag = client;
            client.GetToken();
            return new[] { new WeakReference(table), new WeakReference(client) };
        }

        private sealed class Folder : IDisposable
        {
            internal readonly string Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "libapivideo-" + Guid.NewGuid().ToString("N"));

            public void Dispose() => Directory.Delete(Path, recursive: true);
        }
    }

    /// <summary>A program's own store, in memory.</summary>
    internal sealed class Table : ITokenStore
    {
        private readonly Dictionary<string, TokenRecord> _kept = new Dictionary<string, TokenRecord>();

        internal Exception? Failure;
        internal bool Hangs;
        internal bool Blocks;
        internal int Calls;
        internal volatile bool Cancelled;
        internal TimeSpan Keep;
        internal TimeSpan Later;
        internal object? Tag;

        public async Task<TokenRecord?> LoadAsync(string name, CancellationToken cancellationToken)
        {
            await Begin(cancellationToken);
            lock (_kept)
            {
                // Its clock is told where nothing is kept, too.
                bool isKept = _kept.TryGetValue(name, out TokenRecord? record);
                return new TokenRecord(isKept ? record!.Version : 0, isKept ? record!.Data : new byte[0], DateTimeOffset.UtcNow + Later);
            }
        }

        public async Task<bool> SwapAsync(string name, long expected, TokenRecord record, TimeSpan keep, CancellationToken cancellationToken)
        {
            await Begin(cancellationToken);
            lock (_kept)
            {
                if ((_kept.TryGetValue(name, out TokenRecord? there) ? there.Version : 0) != expected)
                {
                    return false;
                }
                _kept[name] = record;
                Keep = keep;
                return true;
            }
        }

        private async Task Begin(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref Calls);
            if (Blocks)
            {
                Thread.Sleep(Timeout.Infinite);
            }
            await Task.Yield();
            if (Hangs)
            {
                // Told by the wait itself: where that goes on at once when it is cancelled, as
                // in .NET Core 3.1, a registration made before it would be gone by its turn.
                try
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    Cancelled = true;
                    throw;
                }
            }
            if (Failure != null)
            {
                throw Failure;
            }
        }
    }
}
