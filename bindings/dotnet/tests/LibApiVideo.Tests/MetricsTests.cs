#if NETCOREAPP && !NETCOREAPP3_1
using System;
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Linq;
using System.Runtime.CompilerServices;

namespace LibApiVideo.Tests
{
    public class MetricsTests
    {
        /// <summary>What a listener reads: each instrument with its tags, and the value.</summary>
        private static Dictionary<string, long> Read()
        {
            var read = new Dictionary<string, long>();
            using (var listener = new MeterListener())
            {
                listener.InstrumentPublished = (instrument, self) =>
                {
                    if (instrument.Meter.Name == "LibApiVideo")
                    {
                        self.EnableMeasurementEvents(instrument);
                    }
                };
                listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
                {
                    IEnumerable<string> shown = tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}");
                    read.Add($"{instrument.Name} {instrument.Unit} {string.Join(" ", shown)}", value);
                });
                listener.Start();
                listener.RecordObservableInstruments();
            }
            return read;
        }

        [Test]
        public void EveryCounterIsMeasured()
        {
            var shared = new Table();
            ApiVideoClient Sharing(Table table) => Sandbox.Client(o => o.Store = TokenStore.Of(table));
            // Other tests have counted too: what matters is what is added here.
            Sandbox.Client().Dispose();
            Dictionary<string, long> before = Read();
            long Added(string name) => Read()[name + " server.address=127.0.0.1"] - before[name + " server.address=127.0.0.1"];
            void Check()
            {
                Assert.Equal(1, Added("apivideo.token.adoptions {token}"));
                Assert.Equal(1, Added("apivideo.store.failures {operation}"));
                Assert.Equal(4, Added("apivideo.auth.requests {request} apivideo.auth.credential=api_key"));
                Assert.Equal(1, Added("apivideo.auth.requests {request} apivideo.auth.credential=refresh_token"));
                Assert.Equal(1, Added("apivideo.auth.failures {request} error.type=key_rejected"));
                Assert.Equal(0, Added("apivideo.auth.failures {request} error.type=refresh_rejected"));
                Assert.Equal(0, Added("apivideo.auth.failures {request} error.type=_OTHER"));
                Assert.Equal(4, Added("apivideo.token.grants {token}"));
                Assert.Equal(1, Added("apivideo.token.invalidations {token}"));
                Assert.Equal(0, Added("apivideo.wait.timeouts {call}"));
            }
            using (ApiVideoClient good = Sandbox.Client())
            using (ApiVideoClient bad = Sandbox.Client(key: "not-the-key"))
            using (ApiVideoClient one = Sharing(shared), other = Sharing(shared), third = Sharing(new Table { Failure = new InvalidOperationException() }))
            {
                good.GetToken();
                good.Invalidate(good.Refresh());
                Assert.Throws<ApiVideoKeyRejectedException>(() => bad.GetToken());
                one.GetToken();
                other.GetToken();
                third.GetToken();
                Check();
            }
            // No counter goes back when a client is gone.
            Check();
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static WeakReference Undisposed(Func<long> grants)
        {
            ApiVideoClient client = Sandbox.Client();
            long before = grants();
            client.GetToken();
            Assert.Equal(before + 1, grants());
            return new WeakReference(client);
        }

        [Test]
        public void NorWhenItIsCollected()
        {
            Sandbox.Client().Dispose();
            long Grants() => Read()["apivideo.token.grants {token} server.address=127.0.0.1"];
            WeakReference client = Undisposed(Grants);
            long last = Grants();
            Assert.Eventually(() =>
            {
                GC.Collect();
                return !client.IsAlive;
            }, "it is collected");
            Assert.Equal(last, Grants());
            Sandbox.Client().Dispose();
            Assert.Equal(last, Grants());
        }

        [Test]
        public void AListenerThatThrowsDisturbsNoClient()
        {
            ChildProcess child = ChildProcess.Run("listener-throws", Library.Path);
            Assert.Equal("Bearer, 9 instruments\nBearer\n", child.Output);
        }

        /// <summary>In a process of its own, whose first client it makes.</summary>
        internal static int WithAListenerThatThrows()
        {
            int told = 0;
            using (var listener = new MeterListener())
            {
                listener.InstrumentPublished = (instrument, _) =>
                {
                    if (instrument.Meter.Name == "LibApiVideo")
                    {
                        told++;
                        throw new InvalidOperationException("a listener's");
                    }
                };
                listener.Start();
                using (ApiVideoClient client = Sandbox.Client())
                {
                    Console.WriteLine($"{client.GetToken().TokenType}, {told} instruments");
                }
                using (ApiVideoClient client = Sandbox.Client())
                {
                    Console.WriteLine(client.GetToken().TokenType);
                }
            }
            return 0;
        }

        [Test]
        public void WhoWaitsIsMeasured()
        {
            Sandbox.Client().Dispose();
            long Now(string name) => Read()[name + " server.address=127.0.0.1"];
            long calls = Now("apivideo.wait.active {call}"), requests = Now("apivideo.auth.active_requests {request}");
            Sandbox.Hang();
            using (ApiVideoClient client = Sandbox.Client())
            {
                _ = client.GetTokenAsync();
                _ = client.GetTokenAsync();
                Assert.Equal(calls + 2, Now("apivideo.wait.active {call}"));
                Assert.Equal(requests + 1, Now("apivideo.auth.active_requests {request}"));
            }
            Assert.Equal(calls, Now("apivideo.wait.active {call}"));
        }
    }
}
#endif
