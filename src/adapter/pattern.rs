//! Module names matched as Python's `re` does it, which is how PEFT reads a pattern in a configuration.

use fancy_regex::{Regex, RegexBuilder};

use super::python::from_python;
use crate::{Error, Result};

/// Longer than PEFT's own joined patterns; bounds the memory of a compiled one.
const MAX_LENGTH: usize = 16 << 10;
const MAX_COMPILED: usize = 1 << 20;
/// Steps a match may take; a pattern that needs more would stall the page.
const MAX_STEPS: usize = 100_000;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    source: String,
}

impl Pattern {
    /// A pattern that matches where `re.fullmatch(pattern, name)` does.
    pub fn fullmatch(pattern: &str) -> Result<Pattern> {
        Pattern::compile(pattern, r"\z")
    }

    /// A pattern that matches where `re.match(pattern, name)` does: at the start, ending anywhere.
    pub fn prefix(pattern: &str) -> Result<Pattern> {
        Pattern::compile(pattern, "")
    }

    fn compile(pattern: &str, end: &str) -> Result<Pattern> {
        if pattern.len() > MAX_LENGTH {
            return Err(bad(format!("a pattern of {} bytes is too long", pattern.len())));
        }
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .backtrack_limit(MAX_STEPS)
                .delegate_size_limit(MAX_COMPILED)
                .delegate_dfa_size_limit(MAX_COMPILED)
                .build()
        };
        let wrong = |error| bad(format!("the pattern '{}' cannot be used: {error}", pattern.escape_debug()));
        let own = from_python(pattern)
            .map_err(|reason| bad(format!("the pattern '{}' cannot be used: {reason}", pattern.escape_debug())))?;
        // Alone first: `a)(b` is only well-formed inside the group that is put around it next.
        build(&own).map_err(wrong)?;
        let regex = build(&format!(r"\A(?:{own}){end}")).map_err(wrong)?;
        Ok(Pattern { regex, source: pattern.into() })
    }

    /// Whether the pattern matches `name`; an error where finding out takes too long.
    pub fn matches(&self, name: &str) -> Result<bool> {
        self.regex.is_match(name).map_err(|_| bad(format!("the pattern '{}' takes too long to match", self.source)))
    }
}

fn bad(reason: String) -> Error {
    Error::BadAdapter { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_python() {
        for (pattern, name, expected) in [
            ("a|ab", "ab", true),
            ("key", "key\n", false),
            (r".*\.(key|value)", "encoder.layer.0.attention.self.key", true),
            (r".*\.(key|value)", "encoder.layer.0.attention.self.query", false),
            (r"a{,2}", "aa", true),
            (r"a{,2}", "aaa", false),
            (r"a{,b}", "a{,b}", true),
            (r"[[]x[]]", "[x]", true),
            (r"[a&&b]", "&", true),
            (r"key\Z", "key", true),
            (r"(?P<n>a)(?P=n)", "aa", true),
            (r"(?i)KEY", "key", true),
            (r"(?!query).*", "key", true),
        ] {
            assert_eq!(Pattern::fullmatch(pattern).unwrap().matches(name).unwrap(), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_matched() {
        for pattern in [
            "(",
            "a)(b",
            "[",
            "*",
            &"a".repeat(MAX_LENGTH + 1),
            r"\99999999999999999999",
            r"(a)\123",
            r"(?P=99999999999999999999)",
            r"(a)\g<1>",
            r"(a)(?(999999999)b|c)",
            r"(?P>a)",
            r"\p{Greek}",
        ] {
            assert_eq!(Pattern::fullmatch(pattern).unwrap_err().code(), "bad-adapter");
        }
        let slow = Pattern::fullmatch(r"(?:(?=a)a+)+b").unwrap();
        assert_eq!(slow.matches(&"a".repeat(200)).unwrap_err().code(), "bad-adapter");
    }
}
