#if NETCOREAPP
using System;
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Linq;
using System.Runtime.Loader;
using System.Threading;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// The meter "LibApiVideo": the counters of all clients, by server. Names and units are as
    /// OpenTelemetry's conventions have them. Nothing is counted here: who listens reads what the
    /// native library counts anyway.
    /// </summary>
    internal static class Metrics
    {
        private static readonly List<Entry> s_clients = new List<Entry>();

        /// <summary>What clients that are gone have counted. A counter never goes back.</summary>
        private static readonly Dictionary<string, ApiVideoStatistics> s_ended = new Dictionary<string, ApiVideoStatistics>();

        private static int s_published;

        internal static void Add(ApiVideoClient client)
        {
            lock (s_ended)
            {
                ForgetCollected();
                s_clients.Add(new Entry(client));
            }
            // Not in a static initialiser, whose exceptions would be every later client's as well.
            if (Interlocked.Exchange(ref s_published, 1) == 0)
            {
                Publish();
            }
        }

        /// <summary>To be called before the client is disposed.</summary>
        internal static void Remove(ApiVideoClient client)
        {
            lock (s_ended)
            {
                if (s_clients.RemoveAll(entry => entry.Client == client) > 0)
                {
                    AddUp(s_ended, client.BaseUrl.Host, client.GetStatistics().WithoutNow());
                }
            }
        }

        /// <summary>
        /// Of a client that nobody disposed remains what was read last: no more was told.
        /// </summary>
        private static void ForgetCollected() => s_clients.RemoveAll(entry =>
        {
            if (entry.Client != null)
            {
                return false;
            }
            AddUp(s_ended, entry.Server, entry.Read());
            return true;
        });

        private sealed class Entry
        {
            private readonly WeakReference<ApiVideoClient> _client;
            private ApiVideoStatistics? _last;

            internal Entry(ApiVideoClient client) => (_client, Server) = (new WeakReference<ApiVideoClient>(client), client.BaseUrl.Host);

            internal string Server { get; }

            /// <summary>Null when it is collected.</summary>
            internal ApiVideoClient? Client => _client.TryGetTarget(out ApiVideoClient? client) ? client : null;

            /// <summary>Its counters, or what was read last; null if nothing was.</summary>
            internal ApiVideoStatistics? Read() => _last = Client?.GetStatistics() ?? _last?.WithoutNow();
        }

        private static void Publish()
        {
            var meter = new Meter("LibApiVideo", Utf8.Decode(NativeMethods.apivideo_version()));
            Count(meter, "apivideo.auth.requests", "{request}", "Requests for a token, by what was sent for it.",
                Part(s => s.AuthenticateRequests, "apivideo.auth.credential", "api_key"),
                Part(s => s.RefreshRequests, "apivideo.auth.credential", "refresh_token"));
            Count(meter, "apivideo.auth.failures", "{request}", "Requests for a token that failed.",
                Part(s => s.KeyRejections, "error.type", "key_rejected"),
                Part(s => s.RefreshRejections, "error.type", "refresh_rejected"),
                Part(s => s.Failures, "error.type", "_OTHER"));
            Count(meter, "apivideo.token.grants", "{token}", "Tokens received.", Part(s => s.TokensGranted));
            Count(meter, "apivideo.token.adoptions", "{token}", "Tokens taken from the store, which another process got.", Part(s => s.TokensAdopted));
            Count(meter, "apivideo.token.invalidations", "{token}", "Tokens withdrawn because the API rejected them.", Part(s => s.Invalidations));
            Count(meter, "apivideo.wait.timeouts", "{call}", "Calls that stopped waiting for a token before there was one.", Part(s => s.Timeouts));
            Count(meter, "apivideo.store.failures", "{operation}", "Operations of the store that failed.", Part(s => s.StoreFailures));
            Tell(() => meter.CreateObservableUpDownCounter("apivideo.wait.active", () => Measure(Part(s => s.Waiters)), "{call}", "Calls that wait for a token."));
            Tell(() => meter.CreateObservableUpDownCounter(
                "apivideo.auth.active_requests", () => Measure(Part(s => s.ExchangesInFlight)), "{request}", "Requests for a token that are under way."));
            AssemblyLoadContext? context = AssemblyLoadContext.GetLoadContext(typeof(Metrics).Assembly);
            if (context != null && context.IsCollectible)
            {
                // Listeners and the runtime know the meter: it would keep this assembly loaded.
                context.Unloading += _ => meter.Dispose();
            }
        }

        private static void Count(Meter meter, string name, string unit, string description, params (Func<ApiVideoStatistics, long>, KeyValuePair<string, object?>[])[] parts) =>
            Tell(() => meter.CreateObservableCounter(name, () => Measure(parts), unit, description));

        /// <summary>Makes an instrument, of which listeners are told.</summary>
        private static void Tell(Action make)
        {
            try
            {
                make();
            }
            catch (Exception)
            {
                // A listener's. Who makes a client can do nothing about it.
            }
        }

        private static (Func<ApiVideoStatistics, long>, KeyValuePair<string, object?>[]) Part(Func<ApiVideoStatistics, long> value) =>
            (value, Array.Empty<KeyValuePair<string, object?>>());

        private static (Func<ApiVideoStatistics, long>, KeyValuePair<string, object?>[]) Part(Func<ApiVideoStatistics, long> value, string tag, string tagged) =>
            (value, new[] { new KeyValuePair<string, object?>(tag, tagged) });

        private static IEnumerable<Measurement<long>> Measure(params (Func<ApiVideoStatistics, long> Value, KeyValuePair<string, object?>[] Tags)[] parts)
        {
            return from server in Servers()
                   from part in parts
                   select new Measurement<long>(part.Value(server.Value), part.Tags.Append(new KeyValuePair<string, object?>("server.address", server.Key)));
        }

        private static Dictionary<string, ApiVideoStatistics> Servers()
        {
            lock (s_ended)
            {
                ForgetCollected();
                var servers = new Dictionary<string, ApiVideoStatistics>(s_ended);
                foreach (Entry entry in s_clients)
                {
                    AddUp(servers, entry.Server, entry.Read());
                }
                return servers;
            }
        }

        private static void AddUp(Dictionary<string, ApiVideoStatistics> servers, string server, ApiVideoStatistics? counts)
        {
            if (counts != null)
            {
                servers[server] = servers.TryGetValue(server, out ApiVideoStatistics? sum) ? sum.Plus(counts) : counts;
            }
        }
    }
}
#endif
