//! Python's regular expressions rewritten for fancy-regex, which reads almost the same language.
//!
//! What only fancy-regex knows is refused, as Python does: among it are references to groups by number of any length,
//! for which it would ask for memory up to that number.

/// Escapes with a letter that mean the same in both. Digits are looked at apart.
const ESCAPES: &str = "AbBdDsSwWafnrtvxuU";
/// What may follow `(?` before a name, a condition, a group's content or flags.
const EXTENSIONS: [&str; 8] = ["P<", "P=", ":", "=", "!", "<=", "<!", ">"];

/// `pattern` for fancy-regex. Rewritten are `\Z`, `{,n}`, and `[`, `&` and `~` inside a class, which Python takes
/// literally. The error says what is refused.
pub(super) fn from_python(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    // Inside a class: how many characters of it have passed, since `]` is literal in the first place.
    let mut class: Option<usize> = None;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (c, class) {
            ('\\', _) => {
                let (escape, after) = escape(rest, class.is_some())?;
                out += &escape;
                rest = after;
                class = class.map(|n| n + 1);
            }
            ('(', None) => {
                check_group(rest)?;
                out.push('(');
            }
            ('{', None) if counts_from_nothing(rest) => out.push_str("{0"),
            ('[', None) => {
                out.push('[');
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                class = Some(0);
            }
            (']', Some(1..)) => {
                out.push(']');
                class = None;
            }
            (']' | '[' | '&' | '~', Some(n)) => {
                out.extend(['\\', c]);
                class = Some(n + 1);
            }
            (c, _) => {
                out.push(c);
                class = class.map(|n| n + 1);
            }
        }
    }
    Ok(out)
}

/// What an escape becomes, and what follows it.
fn escape(rest: &str, in_class: bool) -> Result<(String, &str), String> {
    let c = rest.chars().next().ok_or("it ends in a backslash")?;
    let after = &rest[c.len_utf8()..];
    match c {
        'Z' if !in_class => Ok((r"\z".into(), after)),
        '1'..='9' if !in_class => {
            // Python knows at most 99 groups by number.
            let digits = 1 + after.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 2 { Err(format!("\\{c} refers to a group beyond 99")) } else { Ok((format!("\\{c}"), after)) }
        }
        c if c.is_ascii_alphanumeric() && !ESCAPES.contains(c) => Err(format!("\\{c} is not known")),
        '<' | '>' => Ok((c.into(), after)),
        c => Ok((format!("\\{c}"), after)),
    }
}

/// Checks what follows an opening parenthesis.
fn check_group(rest: &str) -> Result<(), String> {
    let Some(rest) = rest.strip_prefix('?') else { return Ok(()) };
    let reference = rest.strip_prefix("P=").or_else(|| rest.strip_prefix('('));
    let is_flag = |c: char| "imsxu-".contains(c);
    let flags_end = rest.trim_start_matches(is_flag);
    if let Some(name) = reference {
        let name = name.split(')').next().unwrap_or_default();
        let number = name.bytes().all(|byte| byte.is_ascii_digit());
        let known = if number { name.len() <= 2 } else { name.chars().all(|c| c.is_alphanumeric() || c == '_') };
        let starts_well = number || name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if known && starts_well { Ok(()) } else { Err(format!("'{name}' names no group")) }
    } else if EXTENSIONS.iter().any(|known| rest.starts_with(known))
        || (flags_end.len() < rest.len() && flags_end.starts_with([':', ')']))
    {
        Ok(())
    } else {
        Err(format!("(?{} is not known", rest.chars().take(2).collect::<String>()))
    }
}

/// Whether `rest` goes on like `{,5}` after its brace.
fn counts_from_nothing(rest: &str) -> bool {
    let most = rest.strip_prefix(',').map(|digits| digits.trim_start_matches(|c: char| c.is_ascii_digit()));
    most.is_some_and(|end| end.starts_with('}'))
}
