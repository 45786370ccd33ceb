//! Changed copies of files, the same in every run.

use serde_json::{Value, json};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Pieces that readers of JSON, sizes and patterns stumble over.
const PIECES: [&str; 30] = [
    "0",
    "-1",
    "1e999",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"",
    "[",
    "{",
    "}",
    ",",
    ":",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "é",
    "😀",
    "(a+)+",
    "[[",
    "(?=",
    "{999}",
    "\\",
    "all-linear",
    " ",
];

/// One to four changes: flipped bits, spliced pieces, cuts, repeats, numbers overwritten, a part of `other` put in.
pub fn mutate(random: &mut Random, original: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below(bytes.len() - at + 1).min(64);
        match random.below(8) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.next() as u8),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, original[at.min(original.len())..end.min(original.len())].iter().copied())),
            5 => drop(bytes.splice(at..end, random.pick(&PIECES).bytes())),
            6 => {
                let number =
                    random.pick(&[0u64, 7, 1 << 20, 99_999_999, 1 << 32, u64::MAX / 2, u64::MAX]).to_le_bytes();
                let at = if random.below(2) == 0 { 0 } else { at };
                bytes.iter_mut().skip(at).zip(number).for_each(|(byte, new)| *byte = new);
            }
            _ => {
                let from = random.below(other.len());
                let to = from + random.below(other.len() - from).min(64);
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
        }
    }
    bytes
}

/// A well-formed document with one to three of its values replaced, removed, moved or renamed.
pub fn mutate_json(random: &mut Random, original: &Value) -> Vec<u8> {
    let mut document = original.clone();
    for _ in 0..1 + random.below(3) {
        let mut node = &mut document;
        // A walk down that may stop early, so that large and small parts are hit.
        while random.below(5) > 0 {
            let keys: Vec<String> = node.as_object().map_or(vec![], |map| map.keys().cloned().collect());
            let len = node.as_array().map_or(0, Vec::len);
            node = match (keys.is_empty(), len) {
                (false, _) => &mut node[random.pick(&keys).as_str()],
                (true, 0) => break,
                (true, len) => &mut node[random.below(len)],
            };
        }
        let long = "a".repeat(random.below(40));
        let values = [
            json!(null),
            json!(false),
            json!(0),
            json!(-1),
            json!(u64::MAX),
            json!(u32::MAX),
            json!(1e300),
            json!(""),
            json!(" "),
            json!("(a|aa)+$"),
            json!("(?=.*)(.*)*\\1"),
            json!([[]]),
            json!({"type": "Sequence"}),
            json!(long),
            json!([random.next() % 12, "key"]),
            original.clone(),
        ];
        match (random.below(4), node) {
            (0, Value::Object(map)) => drop(map.clone().keys().nth(random.below(map.len())).map(|key| map.remove(key))),
            (0, Value::Array(list)) if !list.is_empty() => drop(list.remove(random.below(list.len()))),
            (1, Value::Object(map)) => drop(map.insert(random.pick(&PIECES).to_string(), random.pick(&values).clone())),
            (1, Value::Array(list)) => list.push(random.pick(&values).clone()),
            (2, Value::String(text)) => text.insert_str(0, PIECES[random.below(PIECES.len())]),
            (2, Value::Number(number)) => *number = (random.next() >> random.below(64)).into(),
            (_, node) => *node = random.pick(&values).clone(),
        }
    }
    serde_json::to_vec(&document).unwrap()
}
