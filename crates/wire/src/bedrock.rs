//! Amazon Bedrock's Converse.
