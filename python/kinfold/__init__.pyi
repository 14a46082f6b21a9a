from kinfold import (
    aggregate as aggregate,
    base as base,
    classify as classify,
    datasets as datasets,
    evaluate as evaluate,
    features as features,
    gallery as gallery,
    graph as graph,
    images as images,
    index as index,
    io as io,
    landmarks as landmarks,
    learn as learn,
    local as local,
    manifold as manifold,
    quantize as quantize,
    report as report,
    rerank as rerank,
    serve as serve,
    shards as shards,
    transform as transform,
    words as words,
    workers as workers,
)
from kinfold.aggregate.fisher import FisherVector as FisherVector
from kinfold.aggregate.t_embedding import TEmbedding as TEmbedding
from kinfold.aggregate.vlad import VLAD as VLAD
from kinfold.base.config import show_config as show_config
from kinfold.base.errors import (
    FileFormatError as FileFormatError,
    GalleryError as GalleryError,
    KinfoldError as KinfoldError,
    MissingExtraError as MissingExtraError,
    NotTrainedError as NotTrainedError,
    RecallError as RecallError,
    ServerError as ServerError,
    WorkerError as WorkerError,
)
from kinfold.base.local_features import LocalFeatures as LocalFeatures
from kinfold.base.neighbours import exact_neighbours as exact_neighbours
from kinfold.base.ranking import Neighbours as Neighbours, Ranking as Ranking
from kinfold.base.threads import (
    get_threads as get_threads,
    set_threads as set_threads,
    use_threads as use_threads,
)
from kinfold.classify.knn import KNNClassifier as KNNClassifier
from kinfold.classify.local_nbnn import LocalNBNN as LocalNBNN
from kinfold.classify.nbnn import NBNN as NBNN
from kinfold.features.extract import Extractor as Extractor
from kinfold.features.regional import RegionalExtractor as RegionalExtractor
from kinfold.gallery import Gallery as Gallery
from kinfold.graph.diffusion import Diffusion as Diffusion
from kinfold.graph.knn import KNNGraph as KNNGraph
from kinfold.graph.lists import KNNLists as KNNLists
from kinfold.graph.offline import OfflineDiffusion as OfflineDiffusion
from kinfold.graph.random_walk import RandomWalk as RandomWalk
from kinfold.graph.regional import RegionalDiffusion as RegionalDiffusion
from kinfold.graph.spectral import SpectralRanking as SpectralRanking
from kinfold.graph.truncated import TruncatedDiffusion as TruncatedDiffusion
from kinfold.index.base import Index as Index
from kinfold.index.candidates import CandidateIndex as CandidateIndex
from kinfold.index.cells import CellIndex as CellIndex
from kinfold.index.factory import index_factory as index_factory
from kinfold.index.flat import FlatIndex as FlatIndex
from kinfold.index.from_faiss import from_faiss as from_faiss
from kinfold.index.hamming import HammingIndex as HammingIndex
from kinfold.index.kd_tree import KDTree as KDTree
from kinfold.index.proposers.hash_tables import HashTables as HashTables
from kinfold.index.proposers.kd_forest import KDForest as KDForest
from kinfold.index.regional import RegionalIndex as RegionalIndex
from kinfold.index.trees import TreeIndex as TreeIndex
from kinfold.io.kin import load as load, save as save
from kinfold.learn.adapter import Adapter as Adapter
from kinfold.learn.drlim import DrLIM as DrLIM
from kinfold.local.sift import SIFT as SIFT
from kinfold.manifold.isomap import Isomap as Isomap
from kinfold.manifold.kernel_pca import KernelPCA as KernelPCA
from kinfold.manifold.laplacian import LaplacianEigenmaps as LaplacianEigenmaps
from kinfold.manifold.lle import LocallyLinearEmbedding as LocallyLinearEmbedding
from kinfold.manifold.local_pca import LocalPCA as LocalPCA
from kinfold.quantize.kmeans import KMeans as KMeans
from kinfold.quantize.local import LocallyOptimizedPQ as LocallyOptimizedPQ
from kinfold.quantize.optimized import OPQ as OPQ
from kinfold.quantize.product import ProductQuantizer as ProductQuantizer
from kinfold.quantize.sign import SignQuantizer as SignQuantizer
from kinfold.quantize.vector import VectorQuantizer as VectorQuantizer
from kinfold.serve.client import Client as Client
from kinfold.shards.sharded import ShardedIndex as ShardedIndex
from kinfold.transform.learned_whitening import LearnedWhitening as LearnedWhitening
from kinfold.transform.pca import PCA as PCA
from kinfold.transform.rotation import Rotation as Rotation
from kinfold.words.asmk import ASMK as ASMK
from kinfold.words.bag_of_words import BagOfWords as BagOfWords
from kinfold.words.hamming_embedding import HammingEmbedding as HammingEmbedding
from kinfold.words.words import VisualWords as VisualWords

__version__: str
__all__: list[str]
