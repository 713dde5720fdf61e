//! Lists, page by page.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::request::Request;

const CURRENT: &str = "currentPage";
const SIZE: &str = "pageSize";

/// The page that a request asks for, or what is wrong with its query.
pub(crate) fn page<T>(
    request: &Request,
    items: &[T],
    shown: impl FnMut(&T) -> Value,
) -> Result<Reply, Reply> {
    let current = number(request, CURRENT, 1, usize::MAX)?;
    let size = number(request, SIZE, 25, 100)?;
    let data: Vec<Value> = items
        .iter()
        .skip(size.saturating_mul(current - 1))
        .take(size)
        .map(shown)
        .collect();
    let last = items.len().div_ceil(size);
    Ok(Reply::ok(json!({
        "pagination": {
            "currentPage": current,
            "currentPageItems": data.len(),
            "pageSize": size,
            "pagesTotal": last,
            "itemsTotal": items.len(),
            "links": links(request, current, size, last),
        },
        "data": data,
    })))
}

/// A number of the query, from 1 to `most`.
fn number(request: &Request, name: &str, default: usize, most: usize) -> Result<usize, Reply> {
    let Some(text) = request.query(name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(Reply::problem(
            StatusCode::BAD_REQUEST,
            "invalid-query-parameter",
            "This query parameter is out of its range.",
        )
        .about(name)),
    }
}

/// Paths with the query of the request, but for another page.
fn links(request: &Request, current: usize, size: usize, last: usize) -> Vec<Value> {
    let pages = [
        ("self", Some(current)),
        ("first", Some(1)),
        ("previous", current.checked_sub(1).filter(|page| *page > 0)),
        ("next", Some(current + 1).filter(|page| *page <= last)),
        ("last", Some(last.max(1))),
    ];
    let kept = kept_query(&request.query);
    let link = |rel, page| {
        let uri = format!("{}?{kept}{CURRENT}={page}&{SIZE}={size}", request.path);
        json!({ "rel": rel, "uri": uri })
    };
    pages
        .into_iter()
        .filter_map(|(rel, page)| Some(link(rel, page?)))
        .collect()
}

/// What of the query is not about pages, ready to be gone on with.
fn kept_query(query: &str) -> String {
    let is_kept = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default();
        !["", CURRENT, SIZE].contains(&name)
    };
    query
        .split('&')
        .filter(is_kept)
        .map(|parameter| format!("{parameter}&"))
        .collect()
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;
    use crate::request::tests::request;

    fn pages_of(count: usize, target: &str) -> Value {
        let items = vec![(); count];
        let request = request(Method::GET, target, "");
        page(&request, &items, |()| Value::Null).ok().unwrap().json
    }

    fn uri(page: &Value, rel: &str) -> Option<String> {
        let links = page["pagination"]["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["rel"] == rel)?;
        Some(link["uri"].as_str().unwrap().to_owned())
    }

    #[test]
    fn links_keep_the_rest_of_the_query() {
        let page = pages_of(3, "/videos?pageSize=1&tags[]=a&currentPage=2&title=b");
        let next = uri(&page, "next");
        assert_eq!(
            next.as_deref(),
            Some("/videos?tags[]=a&title=b&currentPage=3&pageSize=1")
        );
    }

    #[test]
    fn an_empty_list_has_one_page_without_another() {
        let page = pages_of(0, "/webhooks");
        assert_eq!(page["pagination"]["pagesTotal"], 0);
        assert_eq!(uri(&page, "next"), None);
        let last = uri(&page, "last");
        assert_eq!(last.as_deref(), Some("/webhooks?currentPage=1&pageSize=25"));
    }
}
