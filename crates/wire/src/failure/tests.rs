//! What providers' errors mean, as tables.

use bytes::Bytes;
use http::HeaderMap;
use weighbridge_domain::time::Timestamp;

use super::{classify, in_band};

#[test]
fn statuses_and_words_make_the_kind() {
    let rows = [
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 10 tokens","code":"context_length_exceeded"}}"#,
            "context_window",
        ),
        (
            400,
            r#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum","type":"invalid_request_error"}}"#,
            "context_window",
        ),
        (413, "Payload Too Large", "bad_request"),
        (
            400,
            r#"{"error":{"code":"content_filter","message":"The response was filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "content_policy",
        ),
        (400, r#"{"error":{"message":"bad temperature"}}"#, "bad_request"),
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            "authentication",
        ),
        (401, r#"{"error":{"message":"Incorrect API key provided: sk-1234"}}"#, "authentication"),
        (403, "no", "authentication"),
        (402, "", "quota"),
        (429, r#"{"error":{"code":"insufficient_quota"}}"#, "quota"),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}"#,
            "rate_limited",
        ),
        (404, r#"{"error":{"code":"DeploymentNotFound"}}"#, "not_found"),
        (408, "", "timeout"),
        (422, r#"{"detail":[{"msg":"x"}]}"#, "bad_request"),
        (500, "", "server_error"),
        (501, "", "server_error"),
        (503, "", "overloaded"),
        (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "overloaded"),
        (504, "", "timeout"),
        (302, "", "broken_reply"),
    ];
    for (status, body, expected) in rows {
        let failure = classify(status, &HeaderMap::new(), &Bytes::from_static(body.as_bytes()), Timestamp::default());
        assert_eq!(failure.kind.label(), expected, "{status} {body}");
        assert!(!format!("{failure:?}").contains("sk-1234"), "{failure:?}");
    }
}

#[test]
fn an_error_with_status_200_is_known_by_its_words() {
    let rows = [
        (r#"{"error":{"message":"slow down","code":429}}"#, "rate_limited 429"),
        (r#"{"error":{"message":"x","type":"rate_limit_error"}}"#, "rate_limited 429"),
        (r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, "overloaded 503"),
        (r#"{"error":{"message":"maximum context length is 5","code":400}}"#, "context_window 400"),
        (r#"{"error":{"message":"boom","code":"502"}}"#, "server_error 502"),
        (r#"{"error":"boom"}"#, "server_error 500"),
        (r#"{"error":{"message":null}}"#, "server_error 500"),
    ];
    for (body, expected) in rows {
        let failure = in_band(body, Bytes::new());
        assert_eq!(format!("{} {}", failure.kind.label(), failure.http_status()), expected, "{body}");
    }
}

type Worded = (&'static str, u16, &'static str, &'static str, &'static str, Option<u64>);

/// Errors as providers word them, from their documentation and their SDKs' reports: provider, status, headers
/// (`name: value`, a line each), body; the kind, and for how long to stay away, in milliseconds.
const WORDED: &[Worded] = &[
    (
        "openai",
        401,
        "",
        r#"{"error":{"message":"Incorrect API key provided: sk-1234","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        "authentication",
        None,
    ),
    (
        "openai",
        404,
        "",
        r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        "not_found",
        None,
    ),
    (
        "openai",
        429,
        "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1m2s",
        r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 3, Used 3, Requested 1.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        "rate_limited",
        Some(62_000),
    ),
    (
        "openai",
        429,
        "retry-after-ms: 1200\nretry-after: 2",
        r#"{"error":{"message":"Rate limit reached on tokens per min (TPM). Please try again in 1.2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        "rate_limited",
        Some(1200),
    ),
    (
        "openai",
        429,
        "",
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        "quota",
        None,
    ),
    (
        "openai",
        400,
        "",
        r#"{"error":{"message":"Your request was rejected as a result of our safety system.","type":"image_generation_user_error","param":null,"code":"content_policy_violation"}}"#,
        "content_policy",
        None,
    ),
    (
        "azure",
        429,
        "retry-after: 26",
        r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 26 seconds."}}"#,
        "rate_limited",
        Some(26_000),
    ),
    (
        "azure",
        429,
        "",
        r#"{"error":{"code":"429","message":"Please retry after 26 seconds."}}"#,
        "rate_limited",
        Some(26_000),
    ),
    (
        "azure",
        404,
        "",
        r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
        "not_found",
        None,
    ),
    (
        "azure",
        401,
        "",
        r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#,
        "authentication",
        None,
    ),
    (
        "anthropic",
        400,
        "",
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"req_1"}"#,
        "context_window",
        None,
    ),
    (
        "anthropic",
        400,
        "",
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, decrease input length or `max_tokens` and try again"}}"#,
        "context_window",
        None,
    ),
    (
        "anthropic",
        400,
        "",
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
        "quota",
        None,
    ),
    (
        "anthropic",
        400,
        "",
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: text content blocks must be non-empty"}}"#,
        "bad_request",
        None,
    ),
    (
        "anthropic",
        400,
        "",
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
        "content_policy",
        None,
    ),
    (
        "anthropic",
        403,
        "",
        r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#,
        "authentication",
        None,
    ),
    (
        "anthropic",
        404,
        "",
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
        "not_found",
        None,
    ),
    (
        "anthropic",
        413,
        "",
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        "bad_request",
        None,
    ),
    (
        "anthropic",
        429,
        "retry-after: 33",
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50,000 input tokens per minute."}}"#,
        "rate_limited",
        Some(33_000),
    ),
    (
        "anthropic",
        500,
        "",
        r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
        "server_error",
        None,
    ),
    (
        "anthropic",
        529,
        "",
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        "overloaded",
        None,
    ),
    (
        "gemini",
        400,
        "",
        r#"{"error":{"code":400,"message":"The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        "context_window",
        None,
    ),
    (
        "gemini",
        400,
        "",
        r#"{"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}"#,
        "authentication",
        None,
    ),
    (
        "gemini",
        403,
        "",
        r#"{"error":{"code":403,"message":"Permission 'aiplatform.endpoints.predict' denied on resource","status":"PERMISSION_DENIED"}}"#,
        "authentication",
        None,
    ),
    (
        "gemini",
        404,
        "",
        r#"{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#,
        "not_found",
        None,
    ),
    (
        "gemini",
        429,
        "",
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}]}}"#,
        "rate_limited",
        Some(36_000),
    ),
    (
        "gemini",
        429,
        "",
        r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"21s"}]}}"#,
        "quota",
        Some(21_000),
    ),
    (
        "anthropic",
        429,
        "anthropic-ratelimit-input-tokens-remaining: 0\nanthropic-ratelimit-input-tokens-reset: 1970-01-01T00:00:12Z",
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#,
        "rate_limited",
        Some(12_000),
    ),
    (
        "gemini",
        503,
        "",
        r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
        "overloaded",
        None,
    ),
    (
        "gemini",
        504,
        "",
        r#"{"error":{"code":504,"message":"Deadline expired before operation could complete.","status":"DEADLINE_EXCEEDED"}}"#,
        "timeout",
        None,
    ),
    (
        "bedrock",
        429,
        "x-amzn-errortype: ThrottlingException",
        r#"{"message":"Too many tokens, please wait before trying again."}"#,
        "rate_limited",
        None,
    ),
    (
        "bedrock",
        400,
        "x-amzn-errortype: ServiceQuotaExceededException:http://internal.amazon.com/coral/x/",
        r#"{"message":"Your request exceeds the service quota for your account."}"#,
        "quota",
        None,
    ),
    (
        "bedrock",
        400,
        "x-amzn-errortype: ValidationException",
        r#"{"message":"Input is too long for requested model."}"#,
        "context_window",
        None,
    ),
    (
        "bedrock",
        400,
        "x-amzn-errortype: ValidationException",
        r#"{"message":"The provided model identifier is invalid."}"#,
        "not_found",
        None,
    ),
    (
        "bedrock",
        400,
        "x-amzn-errortype: ValidationException",
        r#"{"message":"The text field in the ContentBlock object is blank."}"#,
        "bad_request",
        None,
    ),
    (
        "bedrock",
        403,
        "x-amzn-errortype: AccessDeniedException",
        r#"{"message":"You don't have access to the model with the specified model ID."}"#,
        "authentication",
        None,
    ),
    (
        "bedrock",
        403,
        "x-amzn-errortype: ExpiredTokenException",
        r#"{"message":"The security token included in the request is expired"}"#,
        "authentication",
        None,
    ),
    (
        "bedrock",
        404,
        "x-amzn-errortype: ResourceNotFoundException",
        r#"{"message":"Could not resolve the foundation model from the provided model identifier."}"#,
        "not_found",
        None,
    ),
    (
        "bedrock",
        408,
        "x-amzn-errortype: ModelTimeoutException",
        r#"{"message":"Model processing timed out"}"#,
        "timeout",
        None,
    ),
    (
        "bedrock",
        424,
        "x-amzn-errortype: ModelErrorException",
        r#"{"message":"The model failed","originalStatusCode":500}"#,
        "server_error",
        None,
    ),
    (
        "bedrock",
        429,
        "x-amzn-errortype: ModelNotReadyException",
        r#"{"message":"Model is not ready for inference."}"#,
        "overloaded",
        None,
    ),
    (
        "bedrock",
        503,
        "x-amzn-errortype: ServiceUnavailableException",
        r#"{"message":"Bedrock is unable to process your request."}"#,
        "overloaded",
        None,
    ),
    (
        "cohere",
        400,
        "",
        r#"{"id":"x","message":"too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 130000."}"#,
        "context_window",
        None,
    ),
    ("cohere", 401, "", r#"{"id":"x","message":"invalid api token"}"#, "authentication", None),
    (
        "cohere",
        404,
        "",
        r#"{"id":"x","message":"model 'command-x' not found, make sure the correct model ID was used"}"#,
        "not_found",
        None,
    ),
    ("cohere", 422, "", r#"{"id":"x","message":"invalid request: unknown field: foo"}"#, "bad_request", None),
    (
        "cohere",
        429,
        "",
        r#"{"id":"x","message":"You are using a Trial key, which is limited to 20 API calls / minute."}"#,
        "rate_limited",
        None,
    ),
    ("cohere", 498, "", r#"{"id":"x","message":"invalid token"}"#, "authentication", None),
    ("cohere", 498, "", r#"{"id":"x","message":"blocked input: please contact support"}"#, "content_policy", None),
    ("groq", 498, "", r#"{"error":{"message":"Flex tier capacity exceeded"}}"#, "overloaded", None),
    (
        "groq",
        429,
        "",
        r#"{"error":{"message":"Rate limit reached for model `llama-3.3-70b-versatile` on tokens per minute (TPM): Limit 12000, Used 11000, Requested 2500. Please try again in 7.66s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        "rate_limited",
        Some(7660),
    ),
    (
        "groq",
        413,
        "",
        r#"{"error":{"message":"Request too large for model `llama-3.1-8b-instant` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        "context_window",
        None,
    ),
    (
        "mistral",
        400,
        "",
        r#"{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","code":"3051"}"#,
        "context_window",
        None,
    ),
    (
        "mistral",
        422,
        "",
        r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"}"#,
        "bad_request",
        None,
    ),
    (
        "deepseek",
        402,
        "",
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        "quota",
        None,
    ),
    (
        "openrouter",
        403,
        "",
        r#"{"error":{"code":403,"message":"openai/gpt-4o requires moderation. Your input was flagged for \"violence\". No credits were charged."}}"#,
        "content_policy",
        None,
    ),
    ("openrouter", 402, "", r#"{"error":{"code":402,"message":"Insufficient credits"}}"#, "quota", None),
    (
        "together",
        422,
        "",
        r#"{"error":{"message":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 8000 `inputs` tokens and 1000 `max_new_tokens`","type":"invalid_request_error"}}"#,
        "context_window",
        None,
    ),
    (
        "vllm",
        400,
        "",
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}"#,
        "context_window",
        None,
    ),
    ("ollama", 404, "", r#"{"error":"model \"llama9\" not found, try pulling it first"}"#, "not_found", None),
    (
        "ollama",
        503,
        "",
        r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
        "overloaded",
        None,
    ),
    (
        "ollama",
        400,
        "",
        r#"{"error":"the request exceeds the available context size, try increasing it"}"#,
        "context_window",
        None,
    ),
    (
        "ollama",
        400,
        "",
        r#"{"error":"registry.ollama.ai/library/gemma:2b does not support tools"}"#,
        "bad_request",
        None,
    ),
];

#[test]
fn every_provider_is_understood() {
    for (provider, status, headers, body, kind, retry_after) in WORDED {
        let headers = headers.lines().filter_map(|line| line.split_once(": ")).map(|(name, value)| {
            (http::HeaderName::from_bytes(name.as_bytes()).unwrap(), http::HeaderValue::from_str(value).unwrap())
        });
        let body = Bytes::from_static(body.as_bytes());
        let failure = classify(*status, &headers.collect(), &body, Timestamp::default());
        let pause = failure.retry_after.map(|pause| u64::try_from(pause.as_millis()).unwrap());
        assert_eq!((failure.kind.label(), pause), (*kind, *retry_after), "{provider} {status} {body:?}");
        assert_eq!(failure.http_status(), *status);
        assert!(!format!("{failure:?}").contains("sk-1234"));
    }
}
