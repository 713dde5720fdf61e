using System;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    /// <summary>A test: a public method without parameters.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute
    {
    }

    /// <summary>
    /// Runs every test, or those whose name contains an argument; or, as a child of one, what the
    /// test wants seen.
    /// </summary>
    internal static class Program
    {
        private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(90);

        private static int Main(string[] arguments)
        {
            if (arguments.Length >= 2 && arguments[0] == "child")
            {
                return Child.Run(arguments[1], arguments.Last());
            }
            MethodInfo[] tests = typeof(Program).Assembly.GetTypes().OrderBy(type => type.Name)
                .SelectMany(type => type.GetMethods()).Where(method => method.GetCustomAttribute<TestAttribute>() != null)
                .Where(method => arguments.Length == 0 || arguments.Any(part => Name(method).Contains(part))).ToArray();
            Console.WriteLine($"Runtime {Environment.Version}");
            int failed = tests.Count(test => !Passes(test));
            Console.WriteLine($"{tests.Length - failed} passed, {failed} failed");
            return failed == 0 && tests.Length > 0 ? 0 : 1;
        }

        private static string Name(MethodInfo test) => $"{test.DeclaringType!.Name}.{test.Name}";

        private static bool Passes(MethodInfo test)
        {
            var watch = Stopwatch.StartNew();
            Exception? failure = null;
            // A thread of its own: a test that hangs must not keep the others from being told
            // about.
            var thread = new Thread(() =>
            {
                try
                {
                    Sandbox.Reset();
                    (test.Invoke(Activator.CreateInstance(test.DeclaringType!), null) as Task)?.GetAwaiter().GetResult();
                }
                catch (Exception e)
                {
                    failure = e is TargetInvocationException ? e.InnerException : e;
                }
            })
            { IsBackground = true };
            thread.Start();
            if (!thread.Join(s_longest))
            {
                failure = new TimeoutException($"It did not end within {s_longest.TotalSeconds} s.");
            }
            Console.WriteLine($"{(failure == null ? "ok  " : "FAIL")} {Name(test)} ({watch.ElapsedMilliseconds} ms)");
            if (failure != null)
            {
                Console.WriteLine(failure);
            }
            return failure == null;
        }
    }
}
