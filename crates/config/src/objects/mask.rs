//! A config object as it may be shown.

use serde_json::Value;

/// Ends of names whose values are secrets, in either spelling.
const SECRETS: &[&str] = &["key", "token", "secret", "password", "json", "authorization"];

/// What stands in the place of a secret.
const MASK: &str = "***";

/// `object` without the secrets in it. The names of virtual keys are none.
pub fn masked(object: &Value) -> Value {
    match object {
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                let is_shown = !is_secret(key) || value.is_null();
                (key.clone(), if is_shown { masked(value) } else { Value::from(MASK) })
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !matches!(key.as_str(), "virtual_key" | "virtualkey") && SECRETS.iter().any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::masked;

    #[test]
    fn secrets_are_not_shown() {
        let object = json!({
            "targets": [
                { "provider": "openai", "api_key": "sk-1", "virtual_key": "named" },
                { "apiKey": "sk-2", "azure_ad_token": "t", "awsSecretAccessKey": "s", "aws_region": "r", "override_params": { "max_tokens": 5 }, "api_key": null },
            ],
        });
        assert_eq!(
            masked(&object),
            json!({
                "targets": [
                    { "provider": "openai", "api_key": "***", "virtual_key": "named" },
                    { "apiKey": "***", "azure_ad_token": "***", "awsSecretAccessKey": "***", "aws_region": "r", "override_params": { "max_tokens": 5 }, "api_key": null },
                ],
            })
        );
    }
}
