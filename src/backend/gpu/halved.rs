//! A kernel whose bindings hold 16 bits an element: the same source, which widens what it reads of them and narrows what it writes.
//! So a kernel is written once, for 32 bits, and computes in them whatever its bindings hold.

use crate::halve::LARGEST;
use std::borrow::Cow;

/// A binding in 16 bits.
#[derive(Debug)]
struct Binding<'a> {
    name: &'a str,
    /// Its elements are vec4.
    vector: bool,
}

impl Binding<'_> {
    /// What its elements are in 32 bits, and in 16.
    fn types(&self) -> (&'static str, &'static str) {
        if self.vector { ("vec4<f32>", "vec4<f16>") } else { ("f32", "f16") }
    }
}

/// The source of a kernel with the bindings `half` says, by their numbers, in 16 bits an element; needs WebGPU's `shader-f16`. What is too
/// large for them becomes the largest number of 16 bits. A binding is declared on a line of its own, and no local that is written to has its
/// name.
pub fn halved(wgsl: &'static str, half: &[bool]) -> Cow<'static, str> {
    if !half.contains(&true) {
        return wgsl.into();
    }
    let mut bindings = Vec::new();
    let mut declared = String::from("enable f16;\n");
    for line in wgsl.split_inclusive('\n') {
        match binding(line).filter(|(number, _)| half.get(*number).is_some_and(|half| *half)) {
            Some((_, binding)) => {
                let (wide, narrow) = binding.types();
                declared.push_str(&line.replacen(&format!("array<{wide}>"), &format!("array<{narrow}>"), 1));
                bindings.push(binding);
            }
            None => declared.push_str(line),
        }
    }
    converted(&declared, &bindings).into()
}

/// Number, name and element of the binding that a line declares, where those are floats.
fn binding(line: &str) -> Option<(usize, Binding<'_>)> {
    let (number, rest) = line.strip_prefix("@group(0) @binding(")?.split_once(')')?;
    let (_, rest) = rest.split_once("> ")?;
    let (name, rest) = rest.split_once(": array<")?;
    let vector = rest.starts_with("vec4<f32>>");
    (vector || rest.starts_with("f32>")).then_some((number.parse().ok()?, Binding { name, vector }))
}

/// Converts at every element of the bindings that is read or written.
fn converted(source: &str, bindings: &[Binding]) -> String {
    let mut out = String::with_capacity(source.len() + source.len() / 4);
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            let comment = &rest[..rest.find('\n').unwrap_or(rest.len())];
            out.push_str(comment);
            comment.len()
        } else if is_name(next) {
            let word = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
            let member = out.ends_with('.');
            match bindings.iter().find(|binding| binding.name == word && !member) {
                Some(binding) => element(&rest[word.len()..], binding, bindings, &mut out) + word.len(),
                None => {
                    out.push_str(word);
                    word.len()
                }
            }
        } else {
            out.push(next);
            next.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

/// Converts at one element: `rest` is what follows the binding's name. Returns the length of what was read of it.
fn element(rest: &str, binding: &Binding, bindings: &[Binding], out: &mut String) -> usize {
    let Some(index) = rest.strip_prefix('[').and_then(|inside| Some(&inside[..closing(inside)?])) else {
        out.push_str(binding.name);
        return 0;
    };
    let place = format!("{}[{}]", binding.name, converted(index, bindings));
    let (wide, narrow) = binding.types();
    let read = index.len() + 2;
    let after = rest[read..].trim_start();
    let sum = ["+=", "-=", "*=", "/="].into_iter().find_map(|sign| Some((&sign[..1], after.strip_prefix(sign)?)));
    let value = match sum {
        Some((_, value)) => Some(value),
        None => after.strip_prefix('=').filter(|value| !value.starts_with('=')),
    };
    let Some(value) = value.and_then(|value| Some(&value[..value.find(';')?])) else {
        out.push_str(&format!("{wide}({place})"));
        return read;
    };
    let value_read = (value.as_ptr() as usize - rest.as_ptr() as usize) + value.len();
    let mut new = converted(value.trim(), bindings);
    if let Some((sign, _)) = sum {
        new = format!("{wide}({place}) {sign} ({new})");
    }
    out.push_str(&format!("{place} = {narrow}(clamp({new}, {wide}(-{LARGEST:.1}), {wide}({LARGEST:.1})))"));
    value_read
}

/// Where the bracket closes that was opened before `inside`.
fn closing(inside: &str) -> Option<usize> {
    let mut open = 1;
    inside.char_indices().find_map(|(at, c)| {
        open += i32::from(c == '[') - i32::from(c == ']');
        (open == 0).then_some(at)
    })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "\
// x[0] is a comment.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // (rows)
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (rows)

fn main(own: Own) {
    let at = x[order[own.x[1]]].x == y[0];
    y[order[at]] = dot(x[at], x[at + 1u]); // y[1]
    y[at] += 2.0;
}
";

    #[test]
    fn what_is_read_is_widened_and_what_is_written_narrowed() {
        let expected = "\
enable f16;
// x[0] is a comment.
@group(0) @binding(0) var<storage, read> x: array<vec4<f16>>; // (rows)
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f16>; // (rows)

fn main(own: Own) {
    let at = vec4<f32>(x[order[own.x[1]]]).x == f32(y[0]);
    y[order[at]] = f16(clamp(dot(vec4<f32>(x[at]), vec4<f32>(x[at + 1u])), f32(-65504.0), f32(65504.0))); // y[1]
    y[at] = f16(clamp(f32(y[at]) + (2.0), f32(-65504.0), f32(65504.0)));
}
";
        assert_eq!(halved(SUM, &[true, false, true]), expected);
    }

    #[test]
    fn only_floats_of_the_bindings_that_are_told_change() {
        assert_eq!(halved(SUM, &[false, false, false]), SUM);
        assert_eq!(halved(SUM, &[false, true, false]).strip_prefix("enable f16;\n"), Some(SUM));
        let found = halved(SUM, &[true, false, false]);
        assert!(found.contains("x: array<vec4<f16>>") && found.contains("y: array<f32>"), "{found}");
        assert!(found.contains("    y[at] += 2.0;"), "{found}");
    }
}
