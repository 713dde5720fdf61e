// The first token: what it holds, and what can go wrong.
//
//     APIVIDEO_API_KEY=… dotnet run --project examples/dotnet/FirstToken
//
// Without an account: make sandbox, and export what it prints.
using System;
using LibApiVideo;

internal static class Program
{
    private static int Main()
    {
        var options = new ApiVideoClientOptions { AppName = "first-token", AppVersion = "1.0.0" };
        try
        {
            // The key, and the server if it is not api.video's, are the environment's.
            using var client = new ApiVideoClient(options);
            Token token = client.GetToken();
            Console.WriteLine($"{token}; good for another {token.ExpiresIn.TotalMinutes:F0} minutes");
            // Any further call gives the same token, without a request, until it is time for
            // another.
            Console.WriteLine($"The same again: {ReferenceEquals(token, client.GetToken())}");
            return 0;
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine($"The setting {e.ParamName} is wrong. {e.Message}");
        }
        catch (ApiVideoKeyRejectedException e)
        {
            Console.Error.WriteLine($"Check the key. {e.Message}");
        }
        catch (ApiVideoException e)
        {
            Console.Error.WriteLine($"{e.Message} Worth trying again: {e.IsRetryable}, after {e.RetryAfter?.TotalSeconds ?? 0:F1} s.");
        }
        return 1;
    }
}
