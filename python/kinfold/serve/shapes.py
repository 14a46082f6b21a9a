"""The shapes of what is sent and answered, for checks and for ``/api/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Point = tuple[float, float]
Box = tuple[float, float, float, float]


class ErrorFacts(BaseModel):
    """What went wrong."""

    code: str = Field(description="for programs to compare")
    message: str = Field(description="one sentence for people")
    argument: str | None = Field(description="the option at fault, if any")


class Error(BaseModel):
    """An answer that is none."""

    error: ErrorFacts


class Health(BaseModel):
    """Whether the server answers."""

    status: Literal["ok"]
    photos: int
    version: str


class Folder(BaseModel):
    """A folder of the first level below that of the photos."""

    name: str
    photos: int


class Info(BaseModel):
    """What ``Gallery.info`` says, and what the server offers besides."""

    model_config = ConfigDict(extra="allow")
    photos: int
    engines: list[str]
    rerank: list[str] = Field(description="second looks by name")
    default_rerank: list[str]
    has_places: bool
    folders: list[Folder]
    since: str | None = Field(description="the day of the earliest photo")
    until: str | None = Field(description="the day of the latest photo")


class Photo(BaseModel):
    """A photo of the gallery."""

    id: int
    name: str = Field(
        description="its path in the folder of photos: to be shown, not to be asked with"
    )
    width: int
    height: int
    taken: str | None = Field(description="local time, ISO 8601 without zone")
    place: Point | None = Field(description="latitude and longitude in degrees")
    missing: bool = Field(description="whether its file is gone")


class PhotoFacts(Photo):
    """All that is known of a photo."""

    tags: list[str]
    title: str | None
    user: str | None
    camera: str | None
    bytes: int
    file: str | None = Field(description="its whole path; for programs of the same machine alone")


class Photos(BaseModel):
    """A page of the list of photos."""

    total: int
    photos: list[Photo]


class Asked(BaseModel):
    """What is asked with: an upload, or one of id, query and vector."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[int, Field(ge=1, lt=1 << 60)] | None = Field(
        None, description="a photo of the gallery"
    )
    query: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="the token of an earlier answer, in the place of its photo"
    )
    vector: dict[str, list[float]] | None = Field(
        None, description="of each engine of vectors, what it would have described the photo by"
    )
    box: Box | None = Field(None, description="x0, y0, x1, y1 in pixels of the upright original")


class Filtered(BaseModel):
    """Which photos count, see ``gallery.PhotoFilter``."""

    folder: str = Field(
        "", max_length=4096, description="a folder in that of the photos, with all below it"
    )
    since: str = Field("", max_length=32, description="the first day: 2024, 2024-05, 2024-05-01")
    until: str = Field("", max_length=32, description="the last day")


class Options(Asked, Filtered):
    """How to search, with ``Gallery.search``'s names."""

    top: int = Field(20, ge=1, le=1000)
    rerank: list[str] | None = Field(
        default_factory=lambda: ["spatial", "diffusion"],
        description="second looks in order; null for none",
    )
    verify_top: int = Field(100, ge=1, le=1000)
    verify_seconds: float | None = Field(
        None, ge=0, description="start no verification after this time"
    )
    along: dict[str, int | float | str] | None = Field(
        None, description="how diffusion goes: alpha, k_query, k, gamma"
    )
    all: bool = Field(
        True,
        description="what only looks alike too; if not, that only where nothing shows the same thing",
    )
    like: list[int] = Field(
        default_factory=list, max_length=100, description="more like these photos"
    )
    unlike: list[int] = Field(
        default_factory=list, max_length=100, description="less like these photos"
    )


class Explained(Options):
    """Which hit to explain."""

    hit: int


class QueryFacts(BaseModel):
    """What was asked with."""

    id: int | None
    name: str
    width: int
    height: int
    box: Box | None


class Hit(BaseModel):
    """A photo of an answer; see ``Gallery.search``."""

    rank: int
    id: int
    name: str
    score: float
    confidence: float
    verdict: str
    verified: bool
    inliers: int | None
    is_query: bool
    through: int | None = Field(
        description="the photo that confirms it where the query alone does not"
    )
    place_found: list[Point] | None = Field(
        description="hull of what was found, in pixels of this photo"
    )
    frame: list[Point] | None = Field(description="the query's corners in this photo")
    width: int
    height: int
    missing: bool


class Answer(BaseModel):
    """The photos that are most alike, best first."""

    query: QueryFacts
    token: str = Field(description="may be sent as ``query`` instead of the photo, for a while")
    verdict: str
    found: int
    unchecked: bool
    hits: list[Hit]
    seconds: float


class Network(BaseModel):
    """Where the network looks, as pictures to lie over the query's ``area`` and over the photo, and what is alike."""

    query: str
    area: Box
    hit: str
    components: list[dict[str, Any]]


class Explanation(BaseModel):
    """Why a photo was found."""

    query: QueryFacts
    token: str
    hit: Photo
    verified: bool
    inliers: int
    matches: list[Box] = Field(
        description="x, y in the query and x, y in the photo, of what agrees"
    )
    rejected: list[Box] = Field(description="the same of what looks alike and does not fit")
    place_found: list[Point] | None
    frame: list[Point] | None
    chain: list[int] = Field(description="the photos that lead from the query to this one")
    similarities: list[float] = Field(description="of each step of the chain")
    network: Network | None


class Group(BaseModel):
    """Photos of the same thing."""

    id: int
    representative: int
    photos: list[int]
    duplicates: list[list[int]] = Field(description="sets of near-duplicates among them")


class Groups(BaseModel):
    """The groups, or how far finding them is."""

    state: Literal["working", "ready", "failed"]
    done: float
    reason: str | None
    groups: list[Group]


class Located(BaseModel):
    """Where a photo was taken; see ``Gallery.locate``."""

    model_config = ConfigDict(extra="allow")
    located: bool
    latitude: float | None
    longitude: float | None
    radius_m: float | None
    reason: str | None
    photos: list[dict[str, Any]]


class Place(BaseModel):
    """Where a photo of the gallery was taken."""

    id: int
    lat: float
    lon: float


class Progress(BaseModel):
    """How far another process is that brings the gallery up to date."""

    updating: bool
    stage: str
    done: int
    of: int


class Export(BaseModel):
    """What to download of which photos; never the photos themselves."""

    model_config = ConfigDict(extra="forbid")
    ids: list[Annotated[int, Field(ge=1, lt=1 << 60)]] = Field(min_length=1, max_length=10_000)
    kind: Literal["list", "csv", "zip"] = Field(alias="as")


JSON_ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error} for status in (400, 401, 403, 404, 413, 415, 422, 429, 503, 504)
}
