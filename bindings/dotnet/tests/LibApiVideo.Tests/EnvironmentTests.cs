using System;
using System.Reflection;
using System.Runtime.InteropServices;
using System.IO;

namespace LibApiVideo.Tests
{
    /// <summary>What the environment fills in for options that are left out.</summary>
    public class EnvironmentTests
    {
        /// <summary>Runs it with these variables only, given as NAME=value.</summary>
        private static void With(Action act, params string[] variables)
        {
            string[] names = { "API_KEY", "BASE_URL", "ENVIRONMENT", "CA_FILE", "STORE" };
            try
            {
                foreach (string variable in variables)
                {
                    string[] parts = variable.Split(new[] { '=' }, 2);
                    Environment.SetEnvironmentVariable("APIVIDEO_" + parts[0], parts[1]);
                }
                act();
            }
            finally
            {
                foreach (string name in names)
                {
                    Environment.SetEnvironmentVariable("APIVIDEO_" + name, null);
                }
            }
        }

        private static string Server(ApiVideoClientOptions? options = null)
        {
            using (var client = new ApiVideoClient("key", options))
            {
                return client.BaseUrl.AbsoluteUri;
            }
        }

        [Test]
        public void AClientWithoutArguments() => With(() =>
        {
            using (var client = new ApiVideoClient())
            {
                Assert.Equal(new Uri(Sandbox.Url), client.BaseUrl);
                Assert.True(client.GetToken() != null, "it has a token");
            }
        }, "API_KEY=" + Sandbox.Key, "BASE_URL=" + Sandbox.Url);

        [Test]
        public void ACaFileOfTheEnvironment() => With(() =>
        {
            using (var client = new ApiVideoClient(Sandbox.Key, new ApiVideoClientOptions { BaseUrl = Environment.GetEnvironmentVariable("APIVIDEO_TEST_TLS_URL") }))
            {
                Assert.True(client.GetToken() != null, "the server is trusted");
            }
        }, "CA_FILE=" + Environment.GetEnvironmentVariable("APIVIDEO_TEST_CA_FILE"));

        [Test]
        public void TheServerIsTheOptionsOrTheEnvironments()
        {
            var sandbox = new ApiVideoClientOptions { Environment = ApiVideoEnvironment.Sandbox };
            With(() => Assert.Equal("https://ws.api.video/", Server()));
            With(() => Assert.Equal("https://sandbox.api.video/", Server()), "ENVIRONMENT=Sandbox");
            With(() => Assert.Equal("https://example.org/", Server()), "ENVIRONMENT=sandbox", "BASE_URL=https://example.org");
            With(() => Assert.Equal("https://sandbox.api.video/", Server(sandbox)), "ENVIRONMENT=?", "BASE_URL=?");
            With(() => Assert.Equal("https://example.org/", Server(new ApiVideoClientOptions { BaseUrl = "https://example.org" })), "ENVIRONMENT=?", "BASE_URL=?");
            With(() => Assert.Equal("https://ws.api.video/", Server(new ApiVideoClientOptions { Environment = ApiVideoEnvironment.Production })), "ENVIRONMENT=sandbox");
        }

        [Test]
        public void TheKeyIsTheArgumentTheOptionsOrTheEnvironments()
        {
            var options = new ApiVideoClientOptions { ApiKey = Sandbox.Key, BaseUrl = Sandbox.Url };
            With(() =>
            {
                using (var client = new ApiVideoClient(options))
                {
                    Assert.True(client.GetToken() != null, "the options' key goes before the environment's");
                }
                options.ApiKey = "another";
                using (var client = new ApiVideoClient(Sandbox.Key, options))
                {
                    Assert.True(client.GetToken() != null, "the argument goes before the options' key");
                }
            }, "API_KEY=not-the-key");
            var none = Assert.Throws<ArgumentNullException>(() => new ApiVideoClient());
            Assert.Equal("apiKey", none.ParamName);
            Assert.Contains("APIVIDEO_API_KEY", none.Message);
        }

        [Test]
        public void AKeyThatIsNullIsNotTheEnvironments() => With(() =>
        {
            string? none = Environment.GetEnvironmentVariable("NO_SUCH_VARIABLE");
            var error = Assert.Throws<ArgumentNullException>(() => new ApiVideoClient(none!));
            Assert.Equal("apiKey", error.ParamName);
            Assert.Contains("new ApiVideoClient()", error.Message);
            Assert.Throws<ArgumentNullException>(() => new ApiVideoClient(none!, new ApiVideoClientOptions { ApiKey = "key" }));
            Assert.Equal("options", Assert.Throws<ArgumentNullException>(() => new ApiVideoClient((ApiVideoClientOptions)null!)).ParamName);
        }, "API_KEY=" + Sandbox.Key);

        /// <summary>
        /// By reflection: no URL is known that the native library takes and .NET does not.
        /// </summary>
        [Test]
        public void AUrlThatDotnetCannotReadIsNamed()
        {
            MethodInfo parse = typeof(ApiVideoClient).GetMethod("ParseUrl", BindingFlags.NonPublic | BindingFlags.Static)!;
            string? Named(ApiVideoClientOptions options) => ((ArgumentException)Assert.Throws<TargetInvocationException>(
                () => parse.Invoke(null, new object[] { "http://:", options })).InnerException!).ParamName;
            Assert.Equal("BaseUrl", Named(new ApiVideoClientOptions { BaseUrl = "http://:" }));
            Assert.Equal("APIVIDEO_BASE_URL", Named(new ApiVideoClientOptions()));
        }

        [DllImport("libc", EntryPoint = "setenv")]
        private static extern int SetInC(string name, string value, int overwrite);

        [DllImport("libc", EntryPoint = "unsetenv")]
        private static extern int UnsetInC(string name);

        [Test]
        public void ACaFileThatDotnetHasUnsetIsNotReadFromC() => With(() =>
        {
            // From the first change on .NET has an environment of its own.
            Environment.SetEnvironmentVariable("APIVIDEO_CA_FILE", null);
            if (!RuntimeInformation.IsOSPlatform(OSPlatform.Linux))
            {
                return;
            }
            SetInC("APIVIDEO_CA_FILE", "/no/such/file", 1);
            try
            {
                Assert.Equal("https://ws.api.video/", Server());
            }
            finally
            {
                UnsetInC("APIVIDEO_CA_FILE");
            }
        }, "CA_FILE=/another");

        [Test]
        public void WithoutTlsNoCaFileIsRead() => With(() =>
        {
            Assert.Equal(new Uri(Sandbox.Url).AbsoluteUri, Server(new ApiVideoClientOptions { BaseUrl = Sandbox.Url }));
            Assert.Equal("https://ws.api.video/", Server(new ApiVideoClientOptions { CaFile = "" }));
        }, "CA_FILE=/no/such/file");

        [Test]
        public void TheStoreIsTheOptionsOrTheEnvironments()
        {
            string folder = Path.Combine(Path.GetTempPath(), "libapivideo-" + Guid.NewGuid().ToString("N"));
            string AccessToken(TokenStore? store = null)
            {
                using (ApiVideoClient client = Sandbox.Client(o => o.Store = store))
                {
                    return client.GetToken().AccessToken;
                }
            }
            try
            {
                With(() =>
                {
                    string token = AccessToken();
                    Assert.Equal(token, AccessToken(), "the token of the environment's store");
                    Assert.True(token != AccessToken(TokenStore.None), "a client without a store gets its own");
                    Assert.True(token != AccessToken(TokenStore.Of(new Table())), "so does one with another");
                }, "STORE=file:" + folder);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
            With(() => Assert.True(AccessToken() != null, "a place that cannot be used is no error"), "STORE=file:" + Path.Combine(Path.GetTempFileName(), "none"));
            With(() => Assert.True(AccessToken() != null, "for redis:// the file of certificates is not read"), "STORE=redis://127.0.0.1:1");
        }

        [Test]
        public void AVariableThatIsNotValidIsNamedAndNotShown()
        {
            foreach (string name in new[] { "API_KEY", "BASE_URL", "ENVIRONMENT", "STORE" })
            {
                With(() =>
                {
                    var options = new ApiVideoClientOptions { ApiKey = name == "API_KEY" ? null : "key" };
                    var error = Assert.Throws<ArgumentException>(() => new ApiVideoClient(options));
                    Assert.Equal("APIVIDEO_" + name, error.ParamName, "ParamName");
                    Assert.Contains($"`APIVIDEO_{name}` ", error.Message);
                    Assert.Lacks("canary", error.ToString(), "the exception");
                }, $"{name}='canary'");
            }
            With(() => Assert.Contains("`APIVIDEO_CA_FILE` ", Assert.Throws<ArgumentException>(() => new ApiVideoClient("key")).Message), "CA_FILE=/no/such/file");
        }
    }
}
