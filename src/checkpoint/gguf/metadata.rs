//! The settings of a GGUF file: names and typed values, read in place.

use super::reader::{Fault, Reader};
use super::{broken, not_gguf};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// Longest text of a setting: chat templates take some ten kilobytes, licences a hundred.
const LONGEST_TEXT: u64 = 1 << 22;
/// Longest name of a setting, the format's own bound.
const LONGEST_KEY: u64 = (1 << 16) - 1;
/// Largest alignment of the data; 32 is usual.
const MOST_ALIGNMENT: u64 = 1 << 16;

/// A value of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Any whole number that is not below 0.
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A text.
    Text(&'a str),
    /// Several values of one type.
    List(List<'a>),
}

/// Values of one type that still lie in the file's bytes: they were walked over once, so that reading them cannot fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct List<'a> {
    kind: u32,
    /// How many values there are.
    pub len: usize,
    bytes: &'a [u8],
}

/// The settings of a file, called `file` in errors.
#[derive(Debug)]
pub struct Metadata<'a> {
    file: &'a str,
    settings: BTreeMap<&'a str, Value<'a>>,
}

// Numbers that stand for the types.
const TEXT: u32 = 8;
const LIST: u32 = 9;

impl<'a> Metadata<'a> {
    pub(super) fn read(file: &'a str, reader: &mut Reader<'a>, count: u64) -> std::result::Result<Metadata<'a>, Fault> {
        let mut settings = BTreeMap::new();
        for _ in 0..count {
            let name = reader.text(LONGEST_KEY)?;
            let kind = reader.u32()?;
            if settings.insert(name, value(reader, kind)?).is_some() {
                return Err(broken(format!("it has two settings '{name}'")));
            }
        }
        Ok(Metadata { file, settings })
    }

    /// What places of tensors are multiples of.
    pub(super) fn alignment(&self) -> std::result::Result<u64, Fault> {
        match self.settings.get("general.alignment") {
            None => Ok(32),
            Some(Value::Unsigned(n)) if n.is_power_of_two() && *n <= MOST_ALIGNMENT => Ok(*n),
            Some(other) => Err(broken(format!("its general.alignment is {other:?}"))),
        }
    }

    /// What the file is called.
    pub fn file(&self) -> &'a str {
        self.file
    }

    /// Names of all settings, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.settings.keys().copied()
    }

    /// A setting; None where it is absent.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.settings.get(name).copied()
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&'a str> {
        match self.get(name) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(self.wrong(name, "a text", other)),
        }
    }

    /// A whole number, if the setting is there.
    pub fn whole(&self, name: &str) -> Result<Option<u64>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Unsigned(number)) => Ok(Some(number)),
            other => Err(self.wrong(name, "a whole number", other)),
        }
    }

    /// Any number, if the setting is there.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Float(number)) => Ok(Some(number)),
            Some(Value::Unsigned(number)) => Ok(Some(number as f64)),
            other => Err(self.wrong(name, "a number", other)),
        }
    }

    /// `true` or `false`, if the setting is there.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(flag)),
            other => Err(self.wrong(name, "true or false", other)),
        }
    }

    /// A list, if the setting is there.
    pub fn list(&self, name: &str) -> Result<Option<List<'a>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            other => Err(self.wrong(name, "a list", other)),
        }
    }

    /// [`Error::NotGguf`] of a setting that is not what it should be.
    fn wrong(&self, name: &str, expected: &str, found: Option<Value>) -> Error {
        let found = found.map_or("absent".into(), |found| match found {
            Value::List(list) => format!("a list of {}", list.len),
            Value::Text(text) => format!("'{}'", text.chars().take(60).collect::<String>()),
            other => format!("{other:?}"),
        });
        not_gguf(self.file, format!("its {name} is {found}, not {expected}"))
    }
}

impl<'a> List<'a> {
    /// Its values, one after the other.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut reader = Reader::new(self.bytes);
        (0..self.len).map(move |_| value(&mut reader, self.kind).expect("a list's values were all read before"))
    }

    /// Its texts; None where it has other values.
    pub fn texts(self) -> Option<Vec<&'a str>> {
        let text = |value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        };
        self.values().map(text).collect()
    }

    /// Its numbers; None where it has other values.
    pub fn numbers(self) -> Option<Vec<f64>> {
        let number = |value| match value {
            Value::Unsigned(n) => Some(n as f64),
            Value::Negative(n) => Some(n as f64),
            Value::Float(n) => Some(n),
            _ => None,
        };
        self.values().map(number).collect()
    }
}

/// Where the value of a setting lies among the bytes of all, if it is there and a whole number.
pub(super) fn whole_number_at(settings: &[u8], name: &str) -> Option<Range<usize>> {
    let mut reader = Reader::new(settings);
    while !reader.rest().is_empty() {
        let found = reader.text(LONGEST_KEY).ok()?;
        let kind = reader.u32().ok()?;
        let start = reader.at();
        value(&mut reader, kind).ok()?;
        if found == name {
            return matches!(kind, 0..=5 | 10 | 11).then(|| start..reader.at());
        }
    }
    None
}

fn value<'a>(reader: &mut Reader<'a>, kind: u32) -> std::result::Result<Value<'a>, Fault> {
    let signed = |n: i64| u64::try_from(n).map_or(Value::Negative(n), Value::Unsigned);
    Ok(match kind {
        0 => Value::Unsigned(reader.array::<1>()?[0].into()),
        1 => signed(i8::from_le_bytes(reader.array()?).into()),
        2 => Value::Unsigned(u16::from_le_bytes(reader.array()?).into()),
        3 => signed(i16::from_le_bytes(reader.array()?).into()),
        4 => Value::Unsigned(reader.u32()?.into()),
        5 => signed(i32::from_le_bytes(reader.array()?).into()),
        6 => Value::Float(f32::from_le_bytes(reader.array()?).into()),
        7 => Value::Flag(reader.array::<1>()?[0] != 0),
        TEXT => Value::Text(reader.text(LONGEST_TEXT)?),
        LIST => Value::List(list(reader)?),
        10 => Value::Unsigned(reader.u64()?),
        11 => signed(i64::from_le_bytes(reader.array()?)),
        12 => Value::Float(f64::from_le_bytes(reader.array()?)),
        other => return Err(broken(format!("it has a setting of the unknown type {other}"))),
    })
}

/// Bytes of a value of a fixed size.
fn size(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn list<'a>(reader: &mut Reader<'a>) -> std::result::Result<List<'a>, Fault> {
    let kind = reader.u32()?;
    let len = usize::try_from(reader.u64()?).map_err(|_| broken("it has a list that no memory could hold"))?;
    let (all, start) = (reader.rest(), reader.at());
    match size(kind) {
        Some(size) => drop(reader.take(len.checked_mul(size).ok_or(Fault::Short)?)?),
        // Each text takes eight bytes at least, so the loop ends with the bytes.
        None if kind == TEXT => (0..len).try_for_each(|_| reader.text(LONGEST_TEXT).map(drop))?,
        None => return Err(broken(format!("it has a list of values of the type {kind}"))),
    }
    Ok(List { kind, len, bytes: &all[..reader.at() - start] })
}
