//! How much text a request holds, counted without keeping it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Characters of a prompt per token.
pub(crate) const CHARACTERS_PER_TOKEN: u64 = 4;

/// How much text there is, in a string, a list of strings, of messages or of token numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Text {
    /// All characters of content.
    pub(crate) characters: u64,
    /// Messages, inputs or documents.
    pub(crate) items: u64,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or a list of it")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text { characters: text.chars().count() as u64, items: 1 })
    }

    // A token number stands for the text of one token, and is not an input by itself.
    fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
        Ok(Text { characters: CHARACTERS_PER_TOKEN, items: 0 })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        let mut sum = Text::default();
        while let Some(text) = list.next_element::<Text>()? {
            sum.characters += text.characters;
            sum.items += text.items.min(1);
        }
        // A list of token numbers is one input.
        sum.items = sum.items.max(u64::from(sum.characters > 0));
        Ok(sum)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        let mut characters = 0;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if matches!(&*key, "content" | "text" | "parts") {
                characters += map.next_value::<Text>()?.characters;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Text { characters, items: 1 })
    }
}
