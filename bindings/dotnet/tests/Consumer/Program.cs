using System;
using System.IO;
using System.Net.Http;
using LibApiVideo;
using Microsoft.Extensions.DependencyInjection;

internal static class Program
{
    private static int Main()
    {
        string url = Environment.GetEnvironmentVariable("APIVIDEO_TEST_URL")!;
        var services = new ServiceCollection();
        services.AddHttpClient("videos").AddApiVideoAuthentication("sandbox-key", options => options.BaseUrl = url);
        using (ServiceProvider provider = services.BuildServiceProvider())
        {
            HttpClient http = provider.GetRequiredService<IHttpClientFactory>().CreateClient("videos");
            Console.WriteLine(http.GetAsync(url + "/videos").GetAwaiter().GetResult().StatusCode);
        }
        using (var client = new ApiVideoClient("sandbox-key", new ApiVideoClientOptions { BaseUrl = url }))
        {
            Console.WriteLine(client.GetToken());
        }
        // The package's own library, from the cache of packages or the program's folder.
        return File.Exists(Environment.GetEnvironmentVariable("LIBAPIVIDEO_PATH")) ? 1 : 0;
    }
}
