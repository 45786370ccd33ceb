//! A safetensors file read while it downloads: one tensor at a time is in memory, the file never is.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use super::HostTensor;
use super::header::{Header, TensorInfo};
use super::safetensors::{decode, element_bytes};
use crate::{Error, Result};

/// Takes the bytes of a file in order, in chunks of any size, and gives out each tensor as soon as it is complete.
pub struct StreamReader {
    file: String,
    content_length: Option<u64>,
    sha256: Option<[u8; 32]>,
    hasher: Sha256,
    received: u64,
    head: Vec<u8>,
    header: Option<Header>,
    current: Current,
    skipped: Vec<(String, String)>,
}

/// The tensor whose bytes are due.
#[derive(Default)]
struct Current {
    index: usize,
    received: u64,
    data: Vec<f32>,
    /// Start of an element whose end is in the next chunk.
    partial: Vec<u8>,
}

impl StreamReader {
    /// Awaits a file, called `file` in errors. `content_length` (bytes) and `sha256` are compared with what arrives, where they are known.
    pub fn new(file: &str, content_length: Option<u64>, sha256: Option<[u8; 32]>) -> Self {
        StreamReader {
            file: file.into(),
            content_length,
            sha256,
            hasher: Sha256::new(),
            received: 0,
            head: Vec::new(),
            header: None,
            current: Current::default(),
            skipped: Vec::new(),
        }
    }

    /// Takes the next bytes and gives every tensor they complete to `sink`, in file order. Tensors in a number format
    /// other than F32, F16 and BF16 are passed over (see [`StreamReader::skipped`]): models carry integer buffers, such
    /// as `position_ids`, that nothing reads. After an error the reader is of no further use.
    pub fn feed(&mut self, mut chunk: &[u8], sink: &mut dyn FnMut(&str, HostTensor) -> Result<()>) -> Result<()> {
        self.received += chunk.len() as u64;
        if let Some(expected) = self.content_length.filter(|length| self.received > *length) {
            return Err(Error::FileLength { file: self.file.clone(), expected, actual: self.received });
        }
        if self.sha256.is_some() {
            self.hasher.update(chunk);
        }
        if self.header.is_none() {
            self.header = self.feed_header(&mut chunk)?;
        }
        match self.header.take() {
            None => Ok(()),
            Some(header) => {
                let fed = self.feed_tensors(&header, chunk, sink);
                self.header = Some(header);
                fed
            }
        }
    }

    /// What the file is called.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Name and number format of the tensors passed over so far.
    pub fn skipped(&self) -> &[(String, String)] {
        &self.skipped
    }

    /// Ends the file: every byte that the header and the server announced must have come, and no other.
    pub fn finish(self) -> Result<()> {
        let announced = match &self.header {
            Some(header) => header.file_bytes,
            None => self.header_end()?,
        };
        let expected = announced.max(self.content_length.unwrap_or(0));
        self.compare_length(expected, self.received)?;
        let actual: [u8; 32] = self.hasher.finalize().into();
        match self.sha256 {
            Some(expected) if expected != actual => {
                Err(Error::FileHash { file: self.file.clone(), expected: hex(&expected), actual: hex(&actual) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Where the header ends, as far as the bytes so far tell.
    fn header_end(&self) -> Result<u64> {
        self.head.first_chunk().map_or(Ok(8), |first| Header::length(*first)).map_err(|error| self.named(error))
    }

    /// A header does not know which file it begins.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::NotSafetensors { reason, .. } => Error::NotSafetensors { file: self.file.clone(), reason },
            other => other,
        }
    }

    fn compare_length(&self, expected: u64, actual: u64) -> Result<()> {
        match actual.cmp(&expected) {
            Ordering::Less => Err(Error::FileTruncated { file: self.file.clone(), expected, actual }),
            Ordering::Greater => Err(Error::FileLength { file: self.file.clone(), expected, actual }),
            Ordering::Equal => Ok(()),
        }
    }

    /// Moves bytes from `chunk` to the header; the header once it is whole.
    fn feed_header(&mut self, chunk: &mut &[u8]) -> Result<Option<Header>> {
        loop {
            let missing = self.header_end()? - self.head.len() as u64;
            if missing == 0 {
                break;
            }
            if chunk.is_empty() {
                return Ok(None);
            }
            let (taken, rest) = split(chunk, missing);
            self.head.extend_from_slice(taken);
            *chunk = rest;
        }
        let header = Header::parse(&self.head).map_err(|error| self.named(error))?;
        if let Some(length) = self.content_length {
            self.compare_length(header.file_bytes, length)?;
        }
        self.head = Vec::new();
        Ok(Some(header))
    }

    fn feed_tensors(
        &mut self,
        header: &Header,
        mut chunk: &[u8],
        sink: &mut dyn FnMut(&str, HostTensor) -> Result<()>,
    ) -> Result<()> {
        while let Some(info) = header.tensors.get(self.current.index) {
            let (taken, rest) = split(chunk, info.bytes - self.current.received);
            chunk = rest;
            self.current.take(info, taken, self.content_length.is_some())?;
            if self.current.received < info.bytes {
                break;
            }
            let next = Current { index: self.current.index + 1, ..Current::default() };
            let data = std::mem::replace(&mut self.current, next).data;
            match element_bytes(info.dtype) {
                Some(_) => sink(&info.name, HostTensor::new(info.shape.clone(), data))?,
                None => self.skipped.push((info.name.clone(), info.dtype.to_string())),
            }
        }
        Ok(())
    }
}

impl Current {
    /// Decodes the next bytes of the tensor. Memory for all of it is asked for at once only where the server's length
    /// confirms the header's: doubling it bit by bit would leave a wasm heap twice as large as needed.
    fn take(&mut self, info: &TensorInfo, mut bytes: &[u8], length_confirmed: bool) -> Result<()> {
        let first = self.received == 0;
        self.received += bytes.len() as u64;
        let Some(size) = element_bytes(info.dtype) else { return Ok(()) };
        if first && length_confirmed {
            self.data
                .try_reserve_exact((info.bytes / size as u64) as usize)
                .map_err(|_| Error::OutOfMemory { what: format!("tensor '{}'", info.name), bytes: info.bytes })?;
        }
        if !self.partial.is_empty() {
            let (end, rest) = split(bytes, (size - self.partial.len()) as u64);
            self.partial.extend_from_slice(end);
            bytes = rest;
            if self.partial.len() == size {
                decode(info.dtype, &self.partial, &mut self.data);
                self.partial.clear();
            }
        }
        let whole = bytes.len() / size * size;
        decode(info.dtype, &bytes[..whole], &mut self.data);
        self.partial.extend_from_slice(&bytes[whole..]);
        Ok(())
    }
}

/// The first `most` bytes, or all where there are fewer, and the rest.
fn split(bytes: &[u8], most: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
