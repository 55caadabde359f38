//! How names that are written as text describe themselves in schemas: one string each, with its pattern. Knows nothing
//! of where the schemas are served or kept.

/// Gives types that are written as text their schemas: OpenAPI by utoipa, JSON Schema by schemars.
#[macro_export]
macro_rules! text_schema {
    ($($name:ident $pattern:literal $example:literal)*) => {$(
        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                use ::utoipa::openapi::schema::{ObjectBuilder, Type};
                ObjectBuilder::new().schema_type(Type::String).pattern(Some($pattern)).examples([$example]).into()
            }
        }

        impl ::utoipa::ToSchema for $name {}

        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    )*};
}
