// IHttpClientFactory: a typed client whose requests carry a valid token.
//
//     APIVIDEO_API_KEY=… dotnet run --project examples/dotnet/DependencyInjection
using System;
using System.Net.Http;
using System.Threading.Tasks;
using LibApiVideo;
using Microsoft.Extensions.DependencyInjection;

internal sealed class Videos
{
    private readonly HttpClient _http;

    public Videos(HttpClient http) => _http = http;

    public Task<string> ListAsync() => _http.GetStringAsync("/videos");
}

internal static class Program
{
    private static async Task Main()
    {
        var services = new ServiceCollection();
        // One client for all HttpClients of this key; the container disposes it. In an application
        // with a configuration: AddApiVideo(configuration.GetSection("ApiVideo")).
        services.AddApiVideo(options => options.KeepFresh = true);
        services.AddHttpClient<Videos>((provider, http) => http.BaseAddress = provider.GetRequiredService<IApiVideoClient>().BaseUrl)
            .AddApiVideoAuthentication();

        await using ServiceProvider provider = services.BuildServiceProvider();
        string videos = await provider.GetRequiredService<Videos>().ListAsync();
        Console.WriteLine($"{videos.Length} characters of videos");
    }
}
