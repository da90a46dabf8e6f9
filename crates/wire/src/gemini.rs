//! Google's `generateContent`.
