//! What a server says about itself.

use std::collections::BTreeMap;

/// The fields of `INFO everything`, by name.
#[derive(Debug, Clone, Default)]
pub struct Info(BTreeMap<String, String>);

impl Info {
    /// Reads `INFO`'s answer.
    pub fn read(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A field as it stands; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field that is a number; 0 when there is none.
    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// Processor time that the server has used, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        self.number("used_cpu_user") + self.number("used_cpu_sys")
    }

    /// Commands that it has processed; those that scripts call are among them.
    pub fn commands(&self) -> f64 {
        self.number("total_commands_processed")
    }

    /// How often `command` was called: `evalsha`, `publish`.
    pub fn calls(&self, command: &str) -> f64 {
        let fields = self.text(&format!("cmdstat_{command}"));
        let calls = fields.split(',').find_map(|field| field.strip_prefix("calls="));
        calls.and_then(|calls| calls.parse().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Info;

    #[test]
    fn fields_are_read() {
        let info = Info::read("# CPU\r\nused_cpu_sys:0.5\r\nused_cpu_user:1.25\r\ncmdstat_evalsha:calls=7,usec=9\r\n");
        assert_eq!((info.cpu_seconds(), info.calls("evalsha"), info.calls("get")), (1.75, 7.0, 0.0));
    }
}
