using System;

namespace LibApiVideo.Tests
{
    public class OptionsTests
    {
        private static void Bad(string parameter, Action<ApiVideoClientOptions> configure)
        {
            var error = Assert.Throws<ArgumentException>(() => Sandbox.Client(configure).Dispose());
            Assert.Equal(parameter, error.ParamName, "ParamName");
        }

        [Test]
        public void ABadOptionIsNamed()
        {
            Bad("Environment", o => o.Environment = (ApiVideoEnvironment)7);
            Bad("BaseUrl", o => o.BaseUrl = "ftp://example.org");
            Bad("BaseUrl", o => o.BaseUrl = "http://example.org");
            Bad("BaseUrl", o => o.BaseUrl = "");
            Bad("AppName", o => (o.AppName, o.AppVersion) = ("my app", "1.0"));
            Bad("AppName", o => (o.AppName, o.AppVersion) = ("my-app", "one"));
            Bad("AppVersion", o => o.AppName = "my-app");
            Bad("SdkName", o => o.SdkVersion = "1.0");
            Bad("ConnectTimeout", o => o.ConnectTimeout = TimeSpan.Zero);
            Bad("AttemptTimeout", o => o.AttemptTimeout = TimeSpan.FromDays(1));
            Bad("WaitTimeout", o => o.WaitTimeout = TimeSpan.FromMilliseconds(-1));
            Bad("WaitTimeout", o => o.WaitTimeout = TimeSpan.MaxValue);
            Bad("Proxy", o => o.Proxy = "ftp://example.org");
            Bad("CaFile", o => o.CaFile = "/no/such/file");
            Bad("LogLevel", o => (o.Log, o.LogLevel) = ((_, __) => { }, (ApiVideoLogLevel)9));
        }

        [Test]
        public void StringsMustBeWhatTheNativeLibraryWouldSee()
        {
            Bad("BaseUrl", o => o.BaseUrl = "https://example.org\0.evil.example");
            Bad("CaFile", o => o.CaFile = "a\0b");
            Bad("AppVersion", o => (o.AppName, o.AppVersion) = ("my-app", "1\0"));
            Bad("Proxy", o => o.Proxy = "http://\ud800:1");
            var nul = Assert.Throws<ArgumentException>(() => new ApiVideoClient("canary\0key"));
            Assert.Equal("apiKey", nul.ParamName);
            Assert.Lacks("canary", nul.ToString(), "the exception");
            var half = Assert.Throws<ArgumentException>(() => new ApiVideoClient("canary\udc00"));
            Assert.Equal("apiKey", half.ParamName);
            Assert.Lacks("canary", half.ToString(), "the exception");
        }

        [Test]
        public void ABadKeyIsNamed()
        {
            Assert.Equal("apiKey", Assert.Throws<ArgumentNullException>(() => new ApiVideoClient(null!)).ParamName);
            Assert.Equal("apiKey", Assert.Throws<ArgumentException>(() => new ApiVideoClient("")).ParamName);
            var error = Assert.Throws<ArgumentException>(() => new ApiVideoClient(" canary "));
            Assert.Equal("apiKey", error.ParamName);
            Assert.Lacks("canary", error.ToString(), "the exception");
        }

        [Test]
        public void OptionsAreCopied()
        {
            var options = new ApiVideoClientOptions { BaseUrl = Sandbox.Url };
            using (var client = new ApiVideoClient(Sandbox.Key, options))
            {
                options.BaseUrl = "https://127.0.0.1:1";
                Assert.True(client.GetToken() != null, "the client has its own");
            }
        }

        [Test]
        public void UnicodeGoesThrough()
        {
            // Refused by the sandbox, and not by anybody before it.
            using (ApiVideoClient client = Sandbox.Client(key: "clé-鍵-🔑"))
            {
                Assert.Throws<ApiVideoKeyRejectedException>(() => client.GetToken());
            }
            Sandbox.Settings("{\"key\":\"clé-鍵-🔑\"}");
            using (ApiVideoClient client = Sandbox.Client(key: "clé-鍵-🔑"))
            {
                Assert.True(client.GetToken() != null, "the key is right");
            }
        }
    }
}
