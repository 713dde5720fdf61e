using System;
using System.Runtime.InteropServices;

// Beside this assembly, beside the program, in the system's own folders; not in the working
// directory.
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory | DllImportSearchPath.SafeDirectories)]

namespace LibApiVideo.Native
{
    /// <summary>
    /// The C functions that the package uses, declared as in include/apivideo.h. A test compares
    /// the two.
    /// </summary>
    internal static class NativeMethods
    {
        /// <summary>The library's name, without the prefix and suffix of each system.</summary>
        internal const string Library = "apivideo";

        /// <summary>APIVIDEO_ABI_VERSION of the header that these declarations follow.</summary>
        internal const uint AbiVersion = 1;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void apivideo_log_callback(int level, IntPtr message, IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void apivideo_state_callback(int state, IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void apivideo_release_callback(IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void apivideo_completion_callback(IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void apivideo_progress_callback(ulong acknowledged, ulong sent, ulong total, IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int apivideo_store_load_callback(IntPtr name, uint timeoutMs, IntPtr record, IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int apivideo_store_swap_callback(IntPtr name, ulong expected, ulong version, IntPtr data, UIntPtr size, ulong keepMs, uint timeoutMs, IntPtr userData);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_version();

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern uint apivideo_abi_version();

        // Clients

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_client_new(byte[] apiKey, ConfigHandle config, out ClientHandle client, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_client_new_without_key(ConfigHandle config, out ClientHandle client, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_client_free(IntPtr client);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_client_base_url(ClientHandle client);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ulong apivideo_client_token_id(ClientHandle client);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_get_token_start(ClientHandle client, ulong minValidityMs, out OperationHandle operation, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_authenticate_start(ClientHandle client, out OperationHandle operation, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_refresh_start(ClientHandle client, out OperationHandle operation, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_invalidate_token(ClientHandle client, TokenHandle rejected, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_client_get_statistics(ClientHandle client, out StatisticsHandle statistics, out ErrorHandle error);

        // Requests

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_request_start(ClientHandle client, byte[] method, byte[] path, byte[]? json, out OperationHandle operation, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        [return: MarshalAs(UnmanagedType.I1)]
        internal static extern bool apivideo_webhook_verify(byte[] secret, byte[] body, UIntPtr length, byte[] signature);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int apivideo_response_http_status(ResponseHandle response);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_response_body(ResponseHandle response);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern UIntPtr apivideo_response_body_length(ResponseHandle response);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_response_header(ResponseHandle response, byte[] name);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_response_next_page(ResponseHandle response);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_response_free(IntPtr response);

        // Uploads

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_new(ClientHandle client, out UploadHandle upload, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_video_id(UploadHandle upload, byte[] videoId, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_token(UploadHandle upload, byte[] token, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_file(UploadHandle upload, byte[] path, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_file_name(UploadHandle upload, byte[] name, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_size(UploadHandle upload, ulong bytes, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_chunk_size(UploadHandle upload, ulong bytes, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_parallel(UploadHandle upload, uint count, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_resume(UploadHandle upload, int resume, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_set_on_progress(UploadHandle upload, apivideo_progress_callback callback, IntPtr userData, apivideo_release_callback release, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_start(UploadHandle upload, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_write(UploadHandle upload, byte[] data, UIntPtr length, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_finish(UploadHandle upload, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_wait(UploadHandle upload, uint timeoutMs, out ResponseHandle response, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_upload_on_complete(UploadHandle upload, apivideo_completion_callback callback, IntPtr userData, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_upload_cancel(UploadHandle upload);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_upload_free(IntPtr upload);

        // Settings

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_new(out ConfigHandle config, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_config_free(IntPtr config);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_environment(ConfigHandle config, int environment, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_base_url(ConfigHandle config, byte[] url, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_app(ConfigHandle config, byte[] name, byte[] version, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_sdk(ConfigHandle config, byte[] name, byte[] version, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_connect_timeout_ms(ConfigHandle config, uint timeoutMs, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_attempt_timeout_ms(ConfigHandle config, uint timeoutMs, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_wait_timeout_ms(ConfigHandle config, uint timeoutMs, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_wait_for_recovery(ConfigHandle config, int wait, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_keep_fresh(ConfigHandle config, int keepFresh, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_max_reply_bytes(ConfigHandle config, ulong bytes, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_proxy(ConfigHandle config, byte[] url, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_ca_file(ConfigHandle config, byte[] path, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_store(ConfigHandle config, StoreHandle store, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_store_timeout_ms(ConfigHandle config, uint timeoutMs, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_log(ConfigHandle config, int level, apivideo_log_callback callback, IntPtr userData, apivideo_release_callback release, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_config_set_on_state(ConfigHandle config, apivideo_state_callback callback, IntPtr userData, apivideo_release_callback release, out ErrorHandle error);

        // Errors

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_message(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int apivideo_error_http_status(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_problem_type(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_title(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_name(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_detail(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern UIntPtr apivideo_error_problem_count(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_problem_type_at(ErrorHandle error, UIntPtr index);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_title_at(ErrorHandle error, UIntPtr index);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_name_at(ErrorHandle error, UIntPtr index);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_error_detail_at(ErrorHandle error, UIntPtr index);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        [return: MarshalAs(UnmanagedType.I1)]
        internal static extern bool apivideo_error_is_retryable(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern long apivideo_error_retry_after_ms(ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_error_free(IntPtr error);

        // Operations

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_operation_wait(OperationHandle operation, uint timeoutMs, out TokenHandle token, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_operation_wait_response(OperationHandle operation, uint timeoutMs, out ResponseHandle response, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_operation_on_complete(OperationHandle operation, apivideo_completion_callback callback, IntPtr userData, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_operation_cancel(OperationHandle operation);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_operation_free(IntPtr operation);

        // Statistics

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_statistics_get(StatisticsHandle statistics, int statistic, out ulong value, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_statistics_free(IntPtr statistics);

        // Stores

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_store_new_file(byte[]? directory, out StoreHandle store, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_store_new_redis(byte[] url, byte[]? caFile, out StoreHandle store, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_store_new_named(byte[] name, byte[]? caFile, out StoreHandle store, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_store_new(apivideo_store_load_callback load, apivideo_store_swap_callback swap, IntPtr userData, apivideo_release_callback release, out StoreHandle store, out ErrorHandle error);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_store_free(IntPtr store);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ApiVideoStatus apivideo_record_set(IntPtr record, ulong version, byte[] data, UIntPtr size, long nowMs, out ErrorHandle error);

        // Tokens

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_token_access_token(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_token_token_type(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern IntPtr apivideo_token_refresh_token(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern ulong apivideo_token_id(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern long apivideo_token_expires_in_ms(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern long apivideo_token_expires_at_ms(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern long apivideo_token_lifetime_ms(TokenHandle token);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void apivideo_token_free(IntPtr token);
    }
}
