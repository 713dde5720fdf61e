using System;
using System.IO;

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
            Bad("StoreTimeout", o => o.StoreTimeout = TimeSpan.Zero);
            Bad("LogLevel", o => (o.Log, o.LogLevel) = ((_, __) => { }, (ApiVideoLogLevel)9));
        }

        [Test]
        public void MessagesSpeakOfTheOptionsAndOfSeconds()
        {
            string Says(Action<ApiVideoClientOptions> configure) => Assert.Throws<ArgumentException>(() => Sandbox.Client(configure).Dispose()).Message;
            Assert.Contains("`ConnectTimeout` is 61 s; it must be from 0.001 s to 60 s.", Says(o => o.ConnectTimeout = TimeSpan.FromSeconds(61)));
            Assert.Contains("`WaitTimeout` is 3,600.001 s; it must be from 0 s to 3,600 s.", Says(o => o.WaitTimeout = TimeSpan.FromMilliseconds(3_600_001)));
            Assert.Contains("`StoreTimeout` is 10.001 s; it must be from 0.001 s to 10 s.", Says(o => o.StoreTimeout = TimeSpan.FromMilliseconds(10_001)));
            Assert.Contains("`AppName` must be 1 to 50 of A-Z", Says(o => (o.AppName, o.AppVersion) = ("a b", "1")));
            Assert.Contains("`SdkVersion` must be 1 to 3 numbers", Says(o => (o.SdkName, o.SdkVersion) = ("a", "?")));
            Assert.Contains("`CaFile` \"/no/such/file\" ", Says(o => o.CaFile = "/no/such/file"));
            Assert.Contains("`LogLevel` is 9; it must be from 0 (off) to 4 (debug).", Says(o => (o.Log, o.LogLevel) = ((_, __) => { }, (ApiVideoLogLevel)9)));
            Assert.Contains("`apiKey` is empty", Assert.Throws<ArgumentException>(() => new ApiVideoClient("")).Message);
            using (ApiVideoClient client = Sandbox.Client())
            {
                var tooLong = Assert.Throws<ArgumentException>(() => client.GetToken(TimeSpan.FromHours(1)));
                Assert.Contains("`minValidity` is 3,600 s, but a fresh token is good for 3,540 s at most.", tooLong.Message);
            }
        }

        [Test]
        public void WhatAPersonLooksAtTellsMuchAndNoSecret()
        {
            var options = new ApiVideoClientOptions { ApiKey = Sandbox.Key, BaseUrl = Sandbox.Url };
            var client = new ApiVideoClient(options);
            Assert.Equal($"ApiVideoClientOptions for {Sandbox.Url}, key redacted", options.ToString());
            Assert.Equal($"ApiVideoClient of {Sandbox.Url}: no token yet", client.ToString());
            Token token = client.GetToken();
            Assert.Equal($"ApiVideoClient of {Sandbox.Url}: {token}", client.ToString());
            Assert.Contains("1 tokens by 1 authentications and 0 refreshes", client.GetStatistics().ToString());
            Assert.Contains("0 tokens adopted, 0 failures of the store", client.GetStatistics().ToString());
            client.Dispose();
            Assert.Equal($"ApiVideoClient of {Sandbox.Url}: disposed", client.ToString());
        }

        [Test]
        public void ATokenForTests()
        {
            var token = new Token("mine", DateTimeOffset.UtcNow.AddMinutes(1));
            Assert.Equal("Bearer mine", token.GetAuthorization());
            Assert.True(token.ExpiresIn > TimeSpan.FromSeconds(50) && token.ExpiresIn <= TimeSpan.FromMinutes(1), "it expires when told");
            Assert.Equal("", token.GetRefreshToken());
            Assert.Equal(TimeSpan.Zero, new Token("old", DateTimeOffset.UtcNow.AddMinutes(-1)).ExpiresIn);
            Assert.Equal("accessToken", Assert.Throws<ArgumentNullException>(() => new Token(null!, DateTimeOffset.UtcNow)).ParamName);
            using (ApiVideoClient client = Sandbox.Client())
            {
                Assert.Equal("rejected", Assert.Throws<ArgumentException>(() => client.Invalidate(token)).ParamName);
            }
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
            Assert.Equal("apiKey", Assert.Throws<ArgumentNullException>(() => new ApiVideoClient((string?)null)).ParamName);
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
            string folder = Path.Combine(Path.GetTempPath(), "clé-鍵-🔑-" + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(folder);
            try
            {
                string caFile = Path.Combine(folder, "ca.pem");
                File.Copy(Environment.GetEnvironmentVariable("APIVIDEO_TEST_CA_FILE")!, caFile);
                using (ApiVideoClient client = Sandbox.Client(o => (o.BaseUrl, o.CaFile) = (Environment.GetEnvironmentVariable("APIVIDEO_TEST_TLS_URL"), caFile)))
                {
                    Assert.True(client.GetToken() != null, "the file is found");
                }
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
