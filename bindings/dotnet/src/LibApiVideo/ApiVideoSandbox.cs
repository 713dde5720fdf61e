using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Tasks;

namespace LibApiVideo.Testing
{
    /// <summary>
    /// A local api.video for tests: a process of the program apivideo-sandbox, which ends when this
    /// is disposed, and with this process in any case.
    /// </summary>
    /// <example>
    /// <code>
    /// using var sandbox = ApiVideoSandbox.Start();
    /// var options = new ApiVideoClientOptions { BaseUrl = sandbox.BaseUrl };
    /// using var client = new ApiVideoClient(sandbox.ApiKey, options);
    /// </code>
    /// </example>
    public sealed class ApiVideoSandbox : IDisposable
    {
        private const string Program = "apivideo-sandbox";
        private const string Announcement = Program + " listening on ";
        private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(30);
        private readonly Process _process;

        private ApiVideoSandbox(Process process, string baseUrl) => (_process, BaseUrl) = (process, baseUrl);

        /// <summary>Its URL, such as <c>http://127.0.0.1:43210</c>.</summary>
        public string BaseUrl { get; }

        /// <summary>The key that it accepts, unless it was started with another one.</summary>
        public string ApiKey => "sandbox-key";

        /// <summary>Starts one, and returns when it listens.</summary>
        /// <param name="arguments">
        /// Options of the program, such as <c>--expires-in 5</c>. <c>apivideo-sandbox --help</c>
        /// lists them.
        /// </param>
        /// <exception cref="FileNotFoundException">
        /// The program is neither where APIVIDEO_SANDBOX of the environment says nor on PATH.
        /// </exception>
        /// <exception cref="InvalidOperationException">
        /// The program ended at once, or did not listen within 30 seconds.
        /// </exception>
        public static ApiVideoSandbox Start(string arguments = "")
        {
            var start = new ProcessStartInfo(FindProgram(), "--exit-with-parent " + arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
                CreateNoWindow = true,
            };
            Process process = Process.Start(start)!;
            var complaints = new Complaints(process);
            string line = FirstLine(process);
            if (line.StartsWith(Announcement, StringComparison.Ordinal))
            {
                return new ApiVideoSandbox(process, line.Substring(Announcement.Length));
            }
            using (process)
            {
                // What still runs would be waited for.
                End(process);
                throw new InvalidOperationException($"{start.FileName} did not start. It said: {complaints.AtItsEnd().Trim()}");
            }
        }

        /// <summary>
        /// What it says first; "" if that is nothing within the limit. What follows is read and
        /// dropped, so that the program never waits for a reader.
        /// </summary>
        private static string FirstLine(Process process)
        {
            var first = new TaskCompletionSource<string>();
            process.OutputDataReceived += (_, line) => first.TrySetResult(line.Data ?? "");
            process.BeginOutputReadLine();
            return first.Task.Wait(LongestStart) ? first.Task.Result : "";
        }

        /// <summary>Ends the process.</summary>
        public void Dispose()
        {
            // It ends when its input does, and this does not wait for that.
            _process.StandardInput.Dispose();
            _process.Dispose();
        }

        private static void End(Process process)
        {
            try
            {
                process.Kill();
            }
            catch (InvalidOperationException)
            {
                // It has ended.
            }
        }

        private static string FindProgram()
        {
            string? named = Environment.GetEnvironmentVariable("APIVIDEO_SANDBOX");
            if (!string.IsNullOrEmpty(named))
            {
                return File.Exists(named) ? named! : throw new FileNotFoundException($"APIVIDEO_SANDBOX of the environment names {named}, which is not there.", named);
            }
            string name = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? Program + ".exe" : Program;
            string? found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
                .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
            return found ?? throw new FileNotFoundException(
                $"{name} is not on PATH. It is in bin/ of libapivideo's archives, and `make sandbox` builds it; or set APIVIDEO_SANDBOX to its path.", name);
        }

        /// <summary>
        /// What the program writes as errors. All of it is read, and the beginning is kept.
        /// </summary>
        private sealed class Complaints
        {
            private const int MostToKeep = 4096;

            /// <summary>
            /// A child of the program may hold its pipe for longer than it lives.
            /// </summary>
            private static readonly TimeSpan LongestLastWord = TimeSpan.FromSeconds(2);

            private readonly StringBuilder _said = new StringBuilder();
            private readonly TaskCompletionSource<bool> _isAll = new TaskCompletionSource<bool>();

            internal Complaints(Process process)
            {
                process.ErrorDataReceived += (_, line) => Keep(line.Data);
                process.BeginErrorReadLine();
            }

            /// <summary>To be called when the program has ended.</summary>
            internal string AtItsEnd()
            {
                _isAll.Task.Wait(LongestLastWord);
                lock (_said)
                {
                    return _said.ToString();
                }
            }

            private void Keep(string? line)
            {
                if (line is null)
                {
                    _isAll.TrySetResult(true);
                    return;
                }
                lock (_said)
                {
                    if (_said.Length < MostToKeep)
                    {
                        _said.AppendLine(line);
                    }
                }
            }
        }
    }
}
