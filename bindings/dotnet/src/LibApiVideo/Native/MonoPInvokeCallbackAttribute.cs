using System;

namespace LibApiVideo.Native
{
    /// <summary>Marks what native code calls, for runtimes that compile ahead of time; they know it by its name.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        public MonoPInvokeCallbackAttribute(Type type)
        {
        }
    }
}
