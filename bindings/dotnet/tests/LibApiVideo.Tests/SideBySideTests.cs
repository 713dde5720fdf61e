using System;
using System.Linq;
using ApiVideo.Client;
using LibApiVideo;
using OfficialClient = ApiVideo.Client.ApiVideoClient;
using TokenClient = LibApiVideo.ApiVideoClient;

// The names of the official client that could collide with the package's.
namespace ApiVideo.Client
{
    internal sealed class ApiVideoClient
    {
    }

    internal enum Environment
    {
        PRODUCTION,
        SANDBOX,
    }
}

namespace LibApiVideo.Tests
{
    public class SideBySideTests
    {
        [Test]
        public void BothPackagesCanBeUsedInOneFile()
        {
            using (var tokens = new TokenClient(Sandbox.Key, new ApiVideoClientOptions { BaseUrl = Sandbox.Url }))
            {
                Assert.True(new OfficialClient().GetType() != tokens.GetType(), "they are two types");
                Token token = tokens.GetToken();
                Assert.True(token != null, "there is a token");
            }
        }

        [Test]
        public void ThePackageKeepsToItsNamespace()
        {
            Type[] types = typeof(TokenClient).Assembly.GetExportedTypes();
            Assert.True(types.All(t => (t.Namespace + ".").StartsWith("LibApiVideo.", StringComparison.Ordinal)), "every public type is in LibApiVideo");
            Assert.Equal("LibApiVideo", typeof(TokenClient).Assembly.GetName().Name);
        }
    }
}
