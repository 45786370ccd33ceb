//! Text from tokens as they come: characters are given out whole, and what may be the start of a stop string is held back.

use crate::checkpoint::Tokenizer;
use crate::error::Result;

/// Tokens of the prompt that the first new one is decoded with: whether it begins with a space depends on what is before it.
const BEFORE: usize = 6;

/// Stands in a text for bytes that make no character yet.
const INCOMPLETE: char = '\u{fffd}';

/// The text of one row.
#[derive(Debug)]
pub struct Writer {
    /// The last tokens: those that are decoded already, then those that are not.
    ids: Vec<u32>,
    decoded: usize,
    /// Text that is not given out yet.
    held: String,
    stopped: bool,
}

impl Writer {
    /// A text that follows on these tokens.
    pub fn after(prompt: &[u32]) -> Writer {
        let ids = prompt[prompt.len().saturating_sub(BEFORE)..].to_vec();
        Writer { decoded: ids.len(), ids, held: String::new(), stopped: false }
    }

    /// Has a stop string come?
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// What the next token lets be given out. Text that ends within a character waits for the next token (the rule of Hugging Face's
    /// text-generation-inference), and text that may become one of the `stops` waits until it has or cannot.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32, stops: &[String]) -> Result<String> {
        self.ids.push(id);
        let (before, after) = (tokenizer.decode(&self.ids[..self.decoded])?, tokenizer.decode(&self.ids)?);
        if !after.ends_with(INCOMPLETE) && after.len() > before.len() {
            self.take(&before, &after);
        }
        Ok(self.release(stops))
    }

    /// The rest, when no more tokens come; bytes that make no character are given out as replacement characters.
    pub fn finish(&mut self, tokenizer: &Tokenizer, stops: &[String]) -> Result<String> {
        let (before, after) = (tokenizer.decode(&self.ids[..self.decoded])?, tokenizer.decode(&self.ids)?);
        self.take(&before, &after);
        let text = self.release(stops);
        Ok(text + &std::mem::take(&mut self.held))
    }

    /// Takes in the text of the tokens that are not decoded yet; those before the last ones are not needed any more.
    fn take(&mut self, before: &str, after: &str) {
        // Some decoders write the end of a text otherwise than its middle.
        let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let start = (0..=same).rev().find(|at| after.is_char_boundary(*at)).unwrap_or(0);
        self.held.push_str(&after[start..]);
        self.ids.drain(..self.decoded);
        self.decoded = self.ids.len();
    }

    /// The held text up to what has to wait, or up to the first stop string.
    fn release(&mut self, stops: &[String]) -> String {
        if self.stopped {
            return String::new();
        }
        if let Some(end) = stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.stopped = true;
            self.held.truncate(end);
            return std::mem::take(&mut self.held);
        }
        let starts_stop = |at: &usize| {
            let rest = &self.held[*at..];
            stops.iter().any(|stop| stop.starts_with(rest))
        };
        let mut places = self.held.char_indices().map(|(at, _)| at);
        let end = places.find(starts_stop).unwrap_or(self.held.len());
        let rest = self.held.split_off(end);
        std::mem::replace(&mut self.held, rest)
    }
}
