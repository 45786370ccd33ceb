//! A file of weights read while it downloads: one tensor at a time is in memory, the file never is.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use super::HostTensor;
use super::start::{Listed, Listing, Start};
use crate::{Error, Result};

/// Takes the bytes of a file in order, in chunks of any size, and gives out each tensor as soon as it is complete.
pub struct StreamReader {
    file: String,
    content_length: Option<u64>,
    sha256: Option<[u8; 32]>,
    hasher: Sha256,
    received: u64,
    start: Start,
    listing: Option<Listing>,
    /// Where the next byte of the tensors lies.
    at: u64,
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
            start: Start::default(),
            listing: None,
            at: 0,
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
        let Some(listing) = self.listing.take() else {
            let whole = self.content_length == Some(self.received);
            let Some((listing, rest)) = self.start.feed(&self.file, &mut chunk, whole)? else { return Ok(()) };
            if let Some(length) = self.content_length {
                self.compare_length(&listing, length)?;
            }
            self.at = listing.first;
            let fed = self.feed_tensors(&listing, &rest, sink).and_then(|()| self.feed_tensors(&listing, chunk, sink));
            self.listing = Some(listing);
            return fed;
        };
        let fed = self.feed_tensors(&listing, chunk, sink);
        self.listing = Some(listing);
        fed
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
        match &self.listing {
            Some(listing) => self.compare_length(listing, self.received)?,
            None => {
                // How long a GGUF's start is only its end tells: one byte more at least.
                let announced = self.start.least(&self.file)?.max(self.content_length.unwrap_or(0));
                let expected = announced.max(self.received + 1);
                return Err(Error::FileTruncated { file: self.file, expected, actual: self.received });
            }
        }
        if let Some(expected) = self.content_length.filter(|expected| self.received < *expected) {
            return Err(Error::FileTruncated { file: self.file, expected, actual: self.received });
        }
        let actual: [u8; 32] = self.hasher.finalize().into();
        match self.sha256 {
            Some(expected) if expected != actual => {
                Err(Error::FileHash { file: self.file.clone(), expected: hex(&expected), actual: hex(&actual) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Fails unless a file of `actual` bytes holds just what its start announced.
    fn compare_length(&self, listing: &Listing, actual: u64) -> Result<()> {
        let (file, expected) = (self.file.clone(), listing.end);
        match actual.cmp(&expected) {
            Ordering::Less => Err(Error::FileTruncated { file, expected, actual }),
            Ordering::Greater if actual > listing.longest => Err(Error::FileLength { file, expected, actual }),
            Ordering::Greater | Ordering::Equal => Ok(()),
        }
    }

    fn feed_tensors(
        &mut self,
        listing: &Listing,
        mut chunk: &[u8],
        sink: &mut dyn FnMut(&str, HostTensor) -> Result<()>,
    ) -> Result<()> {
        while let Some(tensor) = listing.tensors.get(self.current.index) {
            let (_between, rest) = split(chunk, tensor.start.saturating_sub(self.at));
            self.at += (chunk.len() - rest.len()) as u64;
            let (taken, rest) =
                split(rest, if self.at < tensor.start { 0 } else { tensor.bytes - self.current.received });
            self.at += taken.len() as u64;
            chunk = rest;
            self.current.take(tensor, taken, self.content_length.is_some())?;
            if self.at < tensor.start || self.current.received < tensor.bytes {
                break;
            }
            let next = Current { index: self.current.index + 1, ..Current::default() };
            let data = std::mem::replace(&mut self.current, next).data;
            if tensor.kind.is_none() {
                self.skipped.push((tensor.name.clone(), tensor.format.clone()));
                continue;
            }
            let (name, found) = listing.translate(&tensor.name, HostTensor::new(tensor.shape.clone(), data))?;
            sink(&name, found)?;
        }
        Ok(())
    }
}

impl Current {
    /// Decodes the next bytes of the tensor. Memory for all of it is asked for at once only where the server's length
    /// confirms the header's: doubling it bit by bit would leave a wasm heap twice as large as needed.
    fn take(&mut self, tensor: &Listed, mut bytes: &[u8], length_confirmed: bool) -> Result<()> {
        let first = self.received == 0;
        self.received += bytes.len() as u64;
        let Some(kind) = tensor.kind else { return Ok(()) };
        let size = kind.block_bytes();
        if first && length_confirmed {
            let elements = tensor.bytes / size as u64 * kind.elements() as u64;
            let too_large = || Error::OutOfMemory { what: format!("tensor '{}'", tensor.name), bytes: 4 * elements };
            let elements = usize::try_from(elements).map_err(|_| too_large())?;
            self.data.try_reserve_exact(elements.saturating_sub(self.data.len())).map_err(|_| too_large())?;
        }
        if !self.partial.is_empty() {
            let (end, rest) = split(bytes, (size - self.partial.len()) as u64);
            self.partial.extend_from_slice(end);
            bytes = rest;
            if self.partial.len() == size {
                kind.dequantise(&self.partial, &mut self.data);
                self.partial.clear();
            }
        }
        let whole = bytes.len() / size * size;
        kind.dequantise(&bytes[..whole], &mut self.data);
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
