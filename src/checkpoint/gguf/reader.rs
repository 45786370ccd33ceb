//! Little-endian numbers and texts out of bytes that may end anywhere.

/// Why the start of a file could not be read.
#[derive(Debug)]
pub enum Fault {
    /// The bytes end too early: with more of them it may be read.
    Short,
    /// It is malformed.
    Broken(String),
    /// A tensor is stored in a number format that is not known.
    Kind { name: String, number: u32 },
}

type Result<T> = std::result::Result<T, Fault>;

/// A place in some bytes.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(Fault::Short)?;
        let found = self.bytes.get(self.at..end).ok_or(Fault::Short)?;
        self.at = end;
        Ok(found)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(*self.take(N)?.first_chunk().expect("as many were taken"))
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length and as many bytes of UTF-8, `most` at most.
    pub fn text(&mut self, most: u64) -> Result<&'a str> {
        let length = self.u64()?;
        if length > most {
            return Err(Fault::Broken(format!("it has a name or text of {length} bytes")));
        }
        let bytes = self.take(length as usize)?;
        std::str::from_utf8(bytes).map_err(|_| Fault::Broken("it has a text that is not UTF-8".into()))
    }
}
